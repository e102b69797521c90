//! Draws one curve as SVG.

use clap::Parser;
use daebus_peers::work::Result;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

/// Width and height, in pixels.
const SIZE: (u32, u32) = (640, 380);

#[derive(Debug, Parser)]
struct Plot {
    /// The SVG file to write
    file: String,
    #[arg(long)]
    title: String,
    #[arg(long)]
    x: String,
    #[arg(long)]
    y: String,
    /// Gives the vertical axis a logarithmic scale too
    #[arg(long)]
    log: bool,
    /// A point, as X:Y
    #[arg(long = "point", value_parser = point)]
    points: Vec<(f64, f64)>,
}

fn point(text: &str) -> Result<(f64, f64)> {
    let (x, y) = text.split_once(':').ok_or("a point is X:Y")?;
    Ok((x.parse()?, y.parse()?))
}

fn main() -> Result<()> {
    let plot = Plot::parse();
    let top = plot.points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let bottom = plot.points.iter().map(|(_, y)| *y).fold(top, f64::min);
    if plot.log { plot.draw((bottom / 2.0..top * 1.5).log_scale()) } else { plot.draw(0.0..top * 1.1) }
}

impl Plot {
    fn draw<Y>(self, y_axis: Y) -> Result<()>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let (first, last) = self.points.first().zip(self.points.last()).ok_or("there are no points")?;
        let area = SVGBackend::new(&self.file, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(16)
            .margin_right(32)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((first.0..last.0).log_scale(), y_axis)?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT).x_label_formatter(&short).y_label_formatter(&short);
        mesh.x_desc(self.x).y_desc(self.y).draw()?;
        chart
            .draw_series(LineSeries::new(self.points.iter().copied(), BLUE.stroke_width(2)).point_size(3))?;
        area.present()?;
        Ok(())
    }
}

/// A number with as few digits as an axis needs.
fn short(value: &f64) -> String {
    match *value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e4 => format!("{} k", value / 1e3),
        value => value.to_string(),
    }
}
