//! A service and its caller in one process, on a bus inside that process: an answer, progress, an error, a broadcast.
//!
//! ```text
//! cargo run -p daebus-examples --bin quickstart
//! ```
//!
//! It needs no Redis and exits when it is done. `my_service` and `call_my_service` are two processes.

use std::time::Instant;

use daebus::prelude::*;

/// The answer of `get_status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    status: String,
    uptime: f64,
}

/// The payload, the progress and the answer of `copy`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Files {
    files: u32,
}

/// The error of `copy`, with the code `nothing_to_copy`.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum CopyError {
    /// The number of files is 0.
    #[error("there is nothing to copy")]
    NothingToCopy,
}

/// The handlers of the service.
#[blueprint("quickstart")]
pub mod quickstart {
    use super::*;

    /// Returns the state of the service.
    #[action("get_status")]
    pub async fn get_status(State(started): State<Instant>) -> Status {
        Status { status: "healthy".into(), uptime: started.elapsed().as_secs_f64() }
    }

    /// Copies files, sends progress after each one, and publishes the result.
    #[action("copy")]
    pub async fn copy(
        Payload(request): Payload<Files>,
        progress: Progress<Files>,
        broadcast: Broadcast,
    ) -> Result<Files, CopyError> {
        if request.files == 0 {
            return Err(CopyError::NothingToCopy);
        }
        for files in 1..=request.files {
            // A lost progress update doesn't fail the copy.
            if let Err(error) = progress.send(Files { files }).await {
                tracing::warn!(%error, "progress not sent");
            }
        }
        if let Err(error) = broadcast.send("copied", &request).await {
            tracing::warn!(%error, "result not published");
        }
        Ok(request)
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

    // The caller that `#[blueprint]` generated, with a method for each action.
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
        println!("broadcast received: {files} files were copied");
    }

    match stub.copy(&Files { files: 0 }).await {
        Err(CallError::Service(CopyError::NothingToCopy)) => println!("error: there was nothing to copy"),
        other => println!("unexpected: {other:?}"),
    }

    caller.close().await;
    service.stop().await?;
    Ok(())
}
