use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::*;

fn token() -> CancellationToken {
    CancellationToken::new()
}

#[tokio::test]
async fn a_result_comes_back() {
    let task = spawn(TaskKind::Watch, "nodes", token(), async { 7 });
    assert_eq!(task.await.expect("result"), 7);
}

#[tokio::test]
async fn a_panic_is_named() {
    let task = spawn(TaskKind::BackgroundCheck, "shop", token(), async {
        if true {
            panic!("no {}", "answer");
        }
    });
    let error = task.await.expect_err("panic").to_string();
    assert_eq!(error, "the task background-check shop panicked: no answer");
}

#[tokio::test]
async fn a_token_drops_a_future_and_lets_the_writer_finish() {
    let token = token();
    let watch = spawn(TaskKind::Watch, "", token.clone(), futures::future::pending::<()>());
    let writer = spawn(TaskKind::JournalWriter, "", token.clone(), async {
        tokio::task::yield_now().await;
        1
    });
    token.cancel();
    assert!(matches!(watch.await, Err(TaskError::Cancelled(_))));
    assert_eq!(writer.await.expect("finished"), 1);
}

/// Tells when its future is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_dropped_handle_leaves_no_task_behind() {
    let gone = Arc::new(AtomicBool::new(false));
    let guard = Dropped(gone.clone());
    let task = spawn(TaskKind::Progress, "", token(), async move {
        let _guard = guard;
        futures::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    drop(task);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(gone.load(Ordering::SeqCst));
}
