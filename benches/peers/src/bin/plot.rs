//! Draws one curve as SVG.

use clap::Parser;
use daebus_peers::work::Result;
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
    /// A point, as X:Y
    #[arg(long = "point", value_parser = point)]
    points: Vec<(f64, f64)>,
}

fn point(text: &str) -> Result<(f64, f64)> {
    let (x, y) = text.split_once(':').ok_or("a point is X:Y")?;
    Ok((x.parse()?, y.parse()?))
}

fn main() -> Result<()> {
    let Plot { file, title, x, y, points } = Plot::parse();
    let (first, last) = points.first().zip(points.last()).ok_or("there are no points")?;
    let top = points.iter().map(|(_, y)| *y).fold(0.0, f64::max) * 1.1;
    let area = SVGBackend::new(&file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((first.0..last.0).log_scale(), 0.0..top)?;
    chart.configure_mesh().x_desc(x).y_desc(y).x_label_formatter(&|x| x.to_string()).draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)).point_size(3))?;
    area.present()?;
    Ok(())
}
