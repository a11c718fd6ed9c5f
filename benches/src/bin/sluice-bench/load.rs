//! A load and what is done with it, in a thread whose signalling stands back behind media.

use std::thread;

use benches::process::Process;
use benches::run::{Load, Plan};
use rustix::process::nice;

use crate::Failure;
use crate::progress::Progress;

/// Joining, and events by the thousand, must not keep publishers from sending in time.
const NICENESS: i32 = 10;

/// Lets everybody of `plan` join, does what `body` says, and lets everybody leave. `spare_files`: those that `body` opens.
pub(crate) fn with<T: Send>(
    plan: Plan,
    server_pid: Option<u32>,
    spare_files: u32,
    body: impl AsyncFnOnce(&mut Load, &Progress) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let progress = Progress::new();
            let mut load = Load::start(plan, server_pid.map(Process), spare_files)?;
            // After the threads of media were started: they would inherit it. A system that refuses is a little less exact.
            let _ = nice(NICENESS);
            load.join(|joined, all| progress.say(&format!("joined: {joined} of {all}"))).await?;
            let result = body(&mut load, &progress).await;
            progress.say("leaving");
            load.leave().await;
            progress.done();
            result
        })
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("bench-signalling".to_owned()).spawn_scoped(scope, run)?;
        thread.join().map_err(|_| "the signalling thread died")?
    })
}
