//! The name of the machine.

pub(crate) fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
