//! `daebus`: lists, calls, watches and measures the services on a bus.

mod arguments;
mod bench;
mod call;
mod channels;
mod check;
mod connection;
mod directory;
mod failure;
mod info;
mod instances;
mod output;
mod payload;
mod ping;
mod report;
mod stats;
mod suggestion;
mod top;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tokio::runtime::Runtime;

use arguments::{Arguments, Command};
use connection::{Connection, OpenBus};
use failure::Failure;
use output::Output;

/// The exit codes of a program that Ctrl-C, or SIGTERM, has ended.
const INTERRUPTED: u8 = 130;
#[cfg(unix)]
const TERMINATED: u8 = 143;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let ended = Runtime::new().map_err(Failure::from).and_then(|runtime| {
        let ended = runtime.block_on(until_interrupted(arguments, output));
        // A thread may be reading the standard input, which never ends.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(code) => code,
        // The reader of the output, `head` for example, has what it needs.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn until_interrupted(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let open_bus = OpenBus::default();
    let ended = tokio::select! {
        biased;
        code = signalled() => Err(code),
        ended = run(arguments, output, &open_bus) => Ok(ended),
    };
    // The command has ended or is dropped, and its calls are being cancelled.
    open_bus.closed().await;
    match ended {
        Ok(ended) => ended.map(|()| ExitCode::SUCCESS),
        Err(code) => Ok(ExitCode::from(code)),
    }
}

/// Returns the exit code when a signal ends the program.
async fn signalled() -> u8 {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        return tokio::select! {
            _ = terminate.recv() => TERMINATED,
            _ = tokio::signal::ctrl_c() => INTERRUPTED,
        };
    }
    let _ = tokio::signal::ctrl_c().await;
    INTERRUPTED
}

async fn run(arguments: Arguments, output: Output, open_bus: &OpenBus) -> Result<(), Failure> {
    let Arguments { bus, command, .. } = arguments;
    let connect = || Connection::open(bus.as_deref(), open_bus);
    match command {
        Command::Services => instances::services(&connect().await?, output).await,
        Command::Instances { service } => {
            instances::list(&connect().await?, output, service.as_deref()).await
        }
        Command::Info { service, action } => {
            info::run(&connect().await?, output, &service, action.as_deref()).await
        }
        Command::Stats { service } => stats::run(&connect().await?, output, &service).await,
        Command::Ping(ping) => ping::run(&connect().await?, output, &ping).await,
        Command::Call(call) => {
            let payload = payload::read(&call.payload).await?;
            call::run(&connect().await?, output, call, payload).await
        }
        Command::Listen { patterns, count } => {
            channels::listen(&connect().await?, output, patterns, count).await
        }
        Command::Send { channel, payload } => {
            let payload = payload::read(&payload).await?;
            channels::send(&connect().await?, output, &channel, &payload).await
        }
        Command::Top(top) => top::run(connect().await?, output, &top).await,
        Command::Bench(bench) => {
            let payload = payload::read(&bench.payload).await?;
            bench::run(&connect().await?, output, bench, payload).await
        }
        Command::Check => check::run(connect, output).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "daebus", &mut script);
            Ok(output.bytes(&script)?)
        }
    }
}
