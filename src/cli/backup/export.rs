//! A backup as one file, coming from the host and going there.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ipai_core::Diagnostic;
use tokio::io::AsyncReadExt;

use super::super::Failed;
use super::site::Site;
use crate::providers::{BackupTalk, Piece, Stream, stream};

/// How much of a file is read at once.
const CHUNK: usize = 256 * 1024;

/// Writes a backup into `file`, or into that folder as `name`; gives where it is. It appears whole or not at all.
pub(crate) async fn export(
    site: &Site<'_>,
    id: &str,
    name: &str,
    file: &Path,
) -> Result<PathBuf, Failed> {
    let path = if file.is_dir() { file.join(name) } else { file.to_owned() };
    let part = path.with_extension("part");
    if path.exists() {
        let problem = Diagnostic::error("The file exists").detail(path.display().to_string());
        return Err(site.run.trouble(&problem.hint("name another one, or a folder")));
    }
    let written = write(site, id, &part).await;
    let landed = written.and_then(|()| {
        std::fs::rename(&part, &path).map_err(|error| unwritten(site, &path, &error))
    });
    if landed.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    landed.map(|()| path)
}

async fn write(site: &Site<'_>, id: &str, part: &Path) -> Result<(), Failed> {
    let run = site.run;
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part);
    let mut file = opened.map_err(|error| unwritten(site, part, &error))?;
    let command = site.command(&["export", id]);
    let mut stream =
        stream(&site.world.access, site.home(), site.outputs, &command, "export the backup")
            .await
            .map_err(|error| run.remote(&[error]))?;
    stream.end_input();
    let mut words = Vec::new();
    // How long the file will be is known when it ends: the host packs it on the way.
    let (line, mut came) = (run.waiting("Writing the backup into the file"), 0);
    loop {
        let piece = tokio::select! {
            piece = stream.next() => piece.map_err(|error| run.remote(&[error]))?,
            code = site.world.stop.requested() => return Err(super::super::locked::stopped(code)),
        };
        match piece {
            Piece::Output(bytes) => {
                file.write_all(&bytes).map_err(|error| unwritten(site, part, &error))?;
                came += bytes.len() as u64;
                line.iter().for_each(|line| line.bytes(came, None));
            }
            Piece::Talk(bytes) => words.extend_from_slice(&bytes),
            Piece::Ended(0) => {
                return file.sync_all().map_err(|error| unwritten(site, part, &error));
            }
            Piece::Ended(code) => return Err(failed(site, "export the backup", code, &words)),
        }
    }
}

fn unwritten(site: &Site<'_>, path: &Path, error: &std::io::Error) -> Failed {
    let problem = Diagnostic::error("The file cannot be written")
        .detail(format!("{}: {error}", path.display()));
    site.run.trouble(&problem.hint("nothing was lost: the backup is in the repository"))
}

/// What the program said when it failed, as an error.
fn failed(site: &Site<'_>, doing: &str, code: i32, words: &[u8]) -> Failed {
    let text = String::from_utf8_lossy(words).into_owned();
    let mut talk = BackupTalk::of(&text);
    talk.error = talk.error.or_else(|| text.lines().last().map(str::to_owned));
    super::site::failed(site.run, doing, &talk, code)
}

/// Brings a file, which was looked through, to the host.
pub(crate) async fn import(site: &Site<'_>, file: &Path) -> Result<(), Failed> {
    let run = site.run;
    let unread = |error: std::io::Error| {
        run.trouble(
            &Diagnostic::error("The file cannot be read")
                .detail(format!("{}: {error}", file.display())),
        )
    };
    let mut source = tokio::fs::File::open(file).await.map_err(unread)?;
    let all = source.metadata().await.ok().map(|file| file.len());
    let (line, mut went) = (run.waiting("Bringing the file to the host"), 0);
    let command = site.command(&["import"]);
    let mut stream =
        stream(&site.world.access, site.home(), site.outputs, &command, "import the backup")
            .await
            .map_err(|error| run.remote(&[error]))?;
    let mut buffer = vec![0; CHUNK];
    let mut ended = false;
    let mut words = Vec::new();
    loop {
        let ready = !ended && !stream.is_behind();
        tokio::select! {
            read = source.read(&mut buffer), if ready => match read.map_err(unread)? {
                0 => { ended = true; stream.end_input(); }
                count => {
                    stream.input(&buffer[..count]);
                    went += count as u64;
                    line.iter().for_each(|line| line.bytes(went, all));
                }
            },
            piece = next(&mut stream, !ready) => match piece.map_err(|error| run.remote(&[error]))? {
                None => {}
                Some(Piece::Output(bytes) | Piece::Talk(bytes)) => words.extend_from_slice(&bytes),
                Some(Piece::Ended(0)) => return Ok(()),
                Some(Piece::Ended(code)) => return Err(failed(site, "import the backup", code, &words)),
            },
            code = site.world.stop.requested() => return Err(super::super::locked::stopped(code)),
        }
    }
}

/// What the host says; when input waits to be sent, not for longer than a moment.
async fn next(stream: &mut Stream, wait: bool) -> Result<Option<Piece>, ipai_core::RemoteError> {
    if !wait {
        return stream.next().await.map(Some);
    }
    match tokio::time::timeout(std::time::Duration::from_millis(20), stream.next()).await {
        Ok(piece) => piece.map(Some),
        Err(_) => Ok(None),
    }
}
