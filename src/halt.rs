//! The halt lever as a file: while it exists, running drills close and undo, and new ones are
//! refused.
//!
//! Whoever pulls a lever must not have to wonder whether it was seen. So everything that is not a
//! clear "there is none" counts as pulled: a folder that may not be looked into, a disk that does
//! not answer, a link that leads nowhere.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often a run looks.
const EVERY: Duration = Duration::from_millis(500);
/// How long a look may take: a network disk may never answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Whether the lever is pulled, and how that is known, in half a sentence.
pub async fn pulled(file: &Path) -> Option<String> {
    // Of the entry itself: a link is there even if what it leads to is not.
    let look = tokio::time::timeout(ANSWER, tokio::fs::symlink_metadata(file)).await;
    let shown = file.display();
    match look {
        Ok(Ok(_)) => Some(format!("the halt lever is pulled: {shown} exists")),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => None,
        Ok(Err(error)) => Some(format!(
            "the halt file {shown} cannot be looked at, which counts as pulled: {error}"
        )),
        Err(_) => Some(format!(
            "the halt file {shown} gives no answer within {} s, which counts as pulled",
            ANSWER.as_secs()
        )),
    }
}

/// Waits until the lever is pulled; answers how that is known.
pub async fn wait(file: PathBuf) -> String {
    loop {
        if let Some(why) = pulled(&file).await {
            return why;
        }
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_clear_no_is_not_pulled() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("halt");
        let shown = file.display().to_string();
        let look = |file: PathBuf| async move { pulled(&file).await };
        assert_eq!(look(file.clone()).await, None);
        assert_eq!(look(folder.path().join("no/folder/halt")).await, None);
        std::fs::write(&file, "").expect("written");
        assert_eq!(
            look(file.clone()).await,
            Some(format!("the halt lever is pulled: {shown} exists"))
        );
        // A file where a folder should be: what lies below it cannot be known.
        let below = look(file.join("halt")).await.expect("pulled");
        assert!(below.contains("cannot be looked at, which counts as pulled"), "{below}");
        std::fs::remove_file(&file).expect("removed");
        std::os::unix::fs::symlink("nowhere", &file).expect("a link");
        assert!(look(file).await.is_some(), "a link that leads nowhere is there");
    }

    #[tokio::test]
    async fn it_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("halt");
        let pull = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            std::fs::write(&file, "").expect("written");
        };
        let (why, ()) = tokio::join!(wait(file.clone()), pull);
        assert!(why.ends_with("halt exists"), "{why}");
    }
}
