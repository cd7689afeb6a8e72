//! Writers of output: a file is written whole or not at all; a device, a pipe or an open descriptor is written
//! directly.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::ui::Ui;
use crate::cli::exit::Failure;

/// The end of a path that output is written to, once all links are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file, which may not be there yet.
    File(PathBuf),
    /// A device, a pipe, or a file that another program has open. It cannot be replaced, only written to.
    Straight(PathBuf),
    /// The standard output of this program: it is written from its present position on.
    Stdout,
    /// The standard error of this program.
    Stderr,
}

/// A file being written, which nobody sees before it is whole; it goes away unless kept.
pub(crate) struct Staged {
    file: tempfile::NamedTempFile,
    place: Place,
}

/// Writes a file under another name first, so that nobody ever finds half of it.
///
/// Links are followed: the file that they lead to is replaced, not the link. Devices and pipes, such as /dev/stdout, are
/// written straight.
///
/// # Errors
/// [`Failure`] with exit 1, and the old file is as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let whole = || -> io::Result<()> {
        match Place::of(path)? {
            place @ Place::File(_) => {
                let mut staged = Staged::at(place)?;
                staged.write_all(bytes)?;
                staged.keep()
            }
            place => place.copy(&mut &*bytes),
        }
    };
    whole()
        .map_err(|error| Failure::run(anyhow::Error::from(error).context(format!("cannot write {}", path.display()))))
}

/// Refuses one file for two outputs, of which the later would replace the earlier. Each comes with its flag.
///
/// # Errors
/// [`Failure`] with exit 2 that names both flags.
pub(crate) fn apart(outputs: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
    let mut seen: Vec<(&str, Place)> = Vec::new();
    for (flag, path) in outputs {
        let Some(path) = path else { continue };
        // A path that leads nowhere is told where it is written.
        let Ok(place @ Place::File(_)) = Place::of(path) else { continue };
        if let Some((other, _)) = seen.iter().find(|(_, own)| *own == place) {
            let path = path.display();
            return Err(Failure::input(anyhow!("{other} and {flag} are both {path}: the one would replace the other")));
        }
        seen.push((flag, place));
    }
    Ok(())
}

/// The refusal to replace a file that may be needed for a support case.
pub(crate) fn may_be_evidence(path: &Path) -> anyhow::Error {
    anyhow!(
        "{} is there already, and may be evidence: choose another name, or give --force to replace it",
        path.display()
    )
}

/// Reports that a file was written: on stdout, or on stderr where stdout itself was written.
///
/// # Errors
/// [`Failure`] when stdout cannot be written.
pub(crate) fn told(path: &Path, text: &str, ui: &Ui) -> Result<(), Failure> {
    match Place::of(path) {
        Ok(Place::Stdout) => ui.note(text.trim_end()),
        _ => ui.print(text)?,
    }
    Ok(())
}

impl Place {
    /// Follows the links of a path, one after the other.
    ///
    /// # Errors
    /// There is no directory for the file, or the links lead in a circle.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            if let Some(place) = descriptor(&path) {
                return Ok(place);
            }
            if let Ok(next) = fs::read_link(&path) {
                path = directory(&path).join(next);
                continue;
            }
            if fs::metadata(&path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
                return Ok(Place::Straight(path));
            }
            return Ok(Place::File(match path.file_name() {
                Some(name) => parent(&path)?.join(name),
                None => fs::canonicalize(&path)?,
            }));
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "its links lead in a circle"))
    }

    /// The directory for files on the way to the place.
    pub(crate) fn beside(&self) -> PathBuf {
        match self {
            Place::File(path) => directory(path).to_owned(),
            Place::Straight(_) | Place::Stdout | Place::Stderr => std::env::temp_dir(),
        }
    }

    /// Copies to where something else than a file is; a reader that has gone away is no failure.
    fn copy(&self, from: &mut impl io::Read) -> io::Result<()> {
        let copied = match self {
            Place::Stdout => {
                let mut stdout = io::stdout().lock();
                io::copy(from, &mut stdout).and_then(|_| stdout.flush())
            }
            Place::Stderr => io::copy(from, &mut io::stderr().lock()).map(drop),
            // What another program has open may hold something already.
            Place::Straight(path) | Place::File(path) => {
                OpenOptions::new().append(true).open(path).and_then(|mut to| io::copy(from, &mut to).map(drop))
            }
        };
        match copied {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            copied => copied,
        }
    }
}

impl Staged {
    /// Begins a file for a place.
    pub(crate) fn at(place: Place) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".kubectl-aksarc-");
        if let Place::File(path) = &place
            && let Some(permissions) = of_new_file(path)
        {
            builder.permissions(permissions);
        }
        let file = builder.tempfile_in(place.beside())?;
        Ok(Staged { file, place })
    }

    /// Gives the file its name.
    pub(crate) fn keep(self) -> io::Result<()> {
        let Place::File(path) = self.place else {
            return self.place.copy(&mut self.file.reopen()?);
        };
        // Disks report that they are full as late as here.
        self.file.as_file().sync_all()?;
        if let Ok(old) = fs::metadata(&path) {
            self.file.as_file().set_permissions(old.permissions())?;
        }
        self.file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The directory a file is in.
pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The directory a file is in, without links.
fn parent(path: &Path) -> io::Result<PathBuf> {
    let directory = directory(path);
    if !directory.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no directory {}", directory.display())));
    }
    fs::canonicalize(directory)
}

/// The place of a path that names an open descriptor, such as /proc/self/fd/1, which is where /dev/stdout leads. The link
/// below it tells what the descriptor is, and a file put there would not be what the other program has open.
fn descriptor(path: &Path) -> Option<Place> {
    let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
    let parent = fs::canonicalize(directory(path)).ok()?;
    if !parent.starts_with("/proc") || !parent.ends_with("fd") {
        return None;
    }
    let own = fs::canonicalize("/proc/self/fd").is_ok_and(|own| own == parent);
    Some(match number {
        1 if own => Place::Stdout,
        2 if own => Place::Stderr,
        _ => Place::Straight(path.to_owned()),
    })
}

/// The permissions of a new file, of which the system takes off what the umask says; temporary files are for their owner only.
fn of_new_file(path: &Path) -> Option<Permissions> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        (!path.exists()).then(|| Permissions::from_mode(0o666))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// As many as Linux follows.
const MAX_LINKS: usize = 40;
