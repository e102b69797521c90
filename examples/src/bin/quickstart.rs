//! A service and its caller in one process, on a bus inside that process: an answer, progress, an error, a broadcast.
//!
//! ```text
//! cargo run -p daebus-examples --bin quickstart
//! ```
//!
//! It needs no Redis and ends by itself. For two processes see `my_service` and `call_my_service`.

use std::time::Instant;

use daebus::prelude::*;

/// What `get_status` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    status: String,
    uptime: f64,
}

/// What `copy` takes, and what it says on the way and at the end.
#[derive(Debug, Serialize, Deserialize)]
pub struct Files {
    files: u32,
}

/// How `copy` fails: on the bus as code `nothing_to_copy`.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum CopyError {
    /// There were no files.
    #[error("there is nothing to copy")]
    NothingToCopy,
}

/// The handlers of the service.
#[blueprint("quickstart")]
pub mod quickstart {
    use super::*;

    /// Says how the service is.
    #[action("get_status")]
    pub async fn get_status(State(started): State<Instant>) -> Status {
        Status { status: "healthy".into(), uptime: started.elapsed().as_secs_f64() }
    }

    /// Copies files, tells the caller after each one, and everybody at the end.
    #[action("copy")]
    pub async fn copy(
        Payload(asked): Payload<Files>,
        progress: Progress<Files>,
        broadcast: Broadcast,
    ) -> Result<Files, CopyError> {
        if asked.files == 0 {
            return Err(CopyError::NothingToCopy);
        }
        for files in 1..=asked.files {
            // Neither of these two failing is a reason to stop copying.
            if let Err(error) = progress.send(Files { files }).await {
                tracing::warn!("no progress was sent: {error}");
            }
        }
        if let Err(error) = broadcast.send("copied", &asked).await {
            tracing::warn!("nobody was told: {error}");
        }
        Ok(asked)
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let bus = "memory://quickstart";

    let service = Daebus::new("quickstart")
        .bus(bus)
        .state(Instant::now())
        .register(quickstart::blueprint())
        .start()
        .await?;

    // The stub that `#[blueprint]` wrote: a method for each action, with the types of its handler.
    let caller = Caller::connect(bus, "quickstart").await?;
    let stub = quickstart::Caller::new(caller.clone());

    let answer = stub.get_status().await?;
    println!("status: {}", answer.status);

    let mut copied = caller.listen::<Files>("copied").await?;
    let mut updates = stub.copy(&Files { files: 3 }).progress();
    while let Some(update) = updates.next().await {
        match update {
            Update::Progress(at) => println!("progress: {} of 3", at.files),
            Update::Done(result) => println!("done: {} files", result?.files),
        }
    }
    if let Some(Files { files }) = copied.next().await {
        println!("broadcast heard: {files} files were copied");
    }

    match stub.copy(&Files { files: 0 }).await {
        Err(CallError::Service(CopyError::NothingToCopy)) => println!("error: there was nothing to copy"),
        other => println!("unexpected: {other:?}"),
    }

    caller.close().await;
    service.stop().await?;
    Ok(())
}
