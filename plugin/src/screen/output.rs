//! Files that are written completely or not at all.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::exit::Failure;

/// Writes a file under another name first, so that nobody sees half of it.
///
/// Devices and pipes, such as /dev/stdout, are written directly.
///
/// # Errors
/// [`Failure`] with exit 1; the old file is unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let whole = || -> io::Result<()> {
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
            return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
        }
        let mut file = staged(path)?;
        file.write_all(bytes)?;
        keep(file, path)
    };
    whole()
        .map_err(|error| Failure::run(anyhow::Error::from(error).context(format!("cannot write {}", path.display()))))
}

/// A temporary file beside `path`, which is removed unless kept.
pub(crate) fn staged(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let directory = directory(path);
    if !directory.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no directory {}", directory.display())));
    }
    tempfile::Builder::new().prefix(".kubectl-aksarc-").tempfile_in(directory)
}

/// Renames a staged file to its final name.
pub(crate) fn keep(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    // Only now does a full disk report an error.
    file.as_file().sync_all()?;
    readable(file.as_file())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The directory a file is in.
pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Makes a temporary file as readable as a new file would commonly be; it is created for its owner only.
fn readable(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}
