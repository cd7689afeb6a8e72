//! A layer with one program: a tar that has nothing of the machine or the moment in it.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

/// The user and group that programs of the image run as and belong to.
pub const OWNER: u64 = 65532;

/// A tar with the program `file` in it, at the root.
pub(super) fn tar(name: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    let program = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut header = Header::new_ustar();
    header.set_mode(READ_AND_RUN);
    header.set_uid(OWNER);
    header.set_gid(OWNER);
    header.set_mtime(0);
    header.set_size(u64::try_from(program.len())?);
    let mut tar = Builder::new(Vec::new());
    tar.append_data(&mut header, name, &*program)?;
    Ok(tar.into_inner()?)
}

/// The same, compressed; neither name nor time are in its header.
pub(super) fn gzip(tar: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN).write(Vec::new(), Compression::best());
    gzip.write_all(tar)?;
    Ok(gzip.finish()?)
}

const READ_AND_RUN: u32 = 0o555;

/// The operating system that a gzip header names where it names none.
const UNKNOWN: u8 = 255;
