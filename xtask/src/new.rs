//! A project of one's own, from `templates/service`.

use std::fs;
use std::path::{Component, Path, PathBuf};

const TEMPLATE: &str = "templates/service";

/// What the template is called, as a package and as a crate.
const PACKAGE: &str = "my-service";
const CRATE: &str = "my_service";

/// Where the template finds us.
const DAEBUS: &str = "../../daebus";

/// Copies the template to `path` under another name, and says what to do next.
pub(crate) fn run(name: &str, path: &Path) -> Result<(), String> {
    let package = name.replace('_', "-");
    check(&package)?;
    if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is there already and not empty; name a new folder", path.display()));
    }
    let root = crate::root();
    let daebus = root.join("daebus");
    let daebus = daebus.to_str().ok_or("this checkout is in a folder whose name is no UTF-8")?;
    let own = |text: &str| {
        text.replace(PACKAGE, &package)
            .replace(CRATE, &package.replace('-', "_"))
            .replace(DAEBUS, &daebus.replace('\\', "/"))
    };
    let template = root.join(TEMPLATE);
    for file in files(&template)? {
        let relative = file.strip_prefix(&template).map_err(|error| error.to_string())?;
        let target = path.join(own(&relative.to_string_lossy()));
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        write(&target, &own(&text))?;
    }
    // The versions that this checkout is tested with, and that are on this machine; cargo leaves out what isn't used.
    let lock = fs::read_to_string(root.join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    write(&path.join("Cargo.lock"), &lock)?;
    println!("{name} is in {}\n\n    cd {0}\n    cargo test\n    cargo run -- --help", path.display());
    Ok(())
}

/// The name of a package, of a service and of a systemd unit at once.
fn check(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if starts && rest && !name.ends_with('-') && name != "daebus" && name != "test" {
        return Ok(());
    }
    Err(format!(
        "a project can't be called {name:?}: write small letters, digits and `-`, a letter first, as in room-thermostat"
    ))
}

/// The template's files, without what a build in it has left.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        let name = path.components().next_back();
        if name == Some(Component::Normal("target".as_ref()))
            || name == Some(Component::Normal("Cargo.lock".as_ref()))
        {
            continue;
        }
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
