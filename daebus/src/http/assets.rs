//! Files of a folder, for the pages that a service shows.

use std::path::Path;

use tower_http::services::ServeDir;

use crate::error::Mistake;

/// Serves a folder's files, `index.html` for the folder itself. Paths that lead out of it are not found.
///
/// # Errors
///
/// A sentence, when there is no such folder.
pub(super) fn serve(folder: &Path) -> Result<ServeDir, Mistake> {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(ServeDir::new(folder)),
        Ok(_) => Err(Mistake::new(format!("Http::assets({shown:?}) needs a folder, and that is a file"))),
        Err(error) => {
            let from = std::env::current_dir().unwrap_or_default();
            Err(Mistake::new(format!(
                "Http::assets({shown:?}) needs a folder: {error} (looked for from {})",
                from.display()
            )))
        }
    }
}
