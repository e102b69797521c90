//! JSON from an argument, a file or the standard input.

use std::io::Read;

use serde_json::Value;

use crate::failure::Failure;

/// The maximum size of a file, which is the size that services accept by default.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Reads JSON: `-` reads the standard input, `@FILE` reads a file, and anything else is the JSON itself.
pub(crate) async fn read(argument: &str) -> Result<Value, Failure> {
    let argument = argument.to_owned();
    // On a thread of its own: Ctrl-C ends the program while the standard input is being read.
    let reading = tokio::task::spawn_blocking(move || parse(&argument));
    reading.await.unwrap_or_else(|error| Err(Failure::Usage(format!("the payload can't be read: {error}"))))
}

fn parse(argument: &str) -> Result<Value, Failure> {
    let (text, source) = match argument.strip_prefix('@') {
        _ if argument == "-" => {
            (limited(std::io::stdin().lock(), "the standard input")?, "the standard input")
        }
        Some(path) => {
            let file = std::fs::File::open(path);
            let file = file.map_err(|error| Failure::Usage(format!("{path} can't be read: {error}")))?;
            (limited(file, path)?, path)
        }
        None => (argument.to_owned(), "the payload"),
    };
    serde_json::from_str(&text).map_err(|error| {
        let hint = if source == "the payload" { "; a text needs quotes, as in '\"text\"'" } else { "" };
        Failure::Usage(format!("{source} is not JSON: {error}{hint}"))
    })
}

fn limited(reader: impl Read, source: &str) -> Result<String, Failure> {
    let mut text = String::new();
    match reader.take(MAX_BYTES + 1).read_to_string(&mut text) {
        Ok(_) if text.len() as u64 > MAX_BYTES => {
            Err(Failure::Usage(format!("{source} is larger than the limit of {MAX_BYTES} bytes")))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::Usage(format!("{source} can't be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_argument_is_json_or_names_a_file() {
        assert_eq!(parse(r#"{"id": 7}"#).unwrap(), json!({"id": 7}));
        let path = std::env::temp_dir().join(format!("daebus-cli-{}.json", std::process::id()));
        std::fs::write(&path, "[1]").unwrap();
        assert_eq!(parse(&format!("@{}", path.display())).unwrap(), json!([1]));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_unreadable_argument_is_an_error_that_says_why() {
        let error = parse("seven").unwrap_err().to_string();
        assert!(error.starts_with("the payload is not JSON") && error.contains("quotes"), "{error}");
        let error = parse("@/does/not/exist").unwrap_err().to_string();
        assert!(error.starts_with("/does/not/exist can't be read"), "{error}");
    }
}
