//! What is drawn at the end of standard error while something runs, and how everything else is written around it.
//! Standard error is one for the whole process, and so is this. Where nothing is drawn, writing is what it was.

mod screen;

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::hidden;
use crate::report;
use screen::Screen;

/// Between two drawings; elapsed seconds and what turns need no more.
const TURN: Duration = Duration::from_millis(100);
/// How long the terminal may take to be cleared before the process ends all the same.
const FAREWELL: Duration = Duration::from_millis(200);

const PLAIN: &str = "{took:>6} {spinner} {wide_msg}";
const TOTAL: &str = "{took:>6}   {wide_msg}";
const BYTES: &str = "{took:>6} {spinner} {sent}  {wide_msg}";
const SHARE: &str = "{took:>6} {spinner} {sent} of {size}, {percent}%  {wide_msg}";

static BOARD: Mutex<Board> =
    Mutex::new(Board { all: None, lines: Vec::new(), next: 0, pauses: 0, turning: false });

struct Board {
    /// Made with the first line.
    all: Option<MultiProgress>,
    lines: Vec<Drawn>,
    next: u64,
    pauses: usize,
    /// Tells whether there is a thread that draws.
    turning: bool,
}

struct Drawn {
    id: u64,
    bar: ProgressBar,
    due: Instant,
    shown: bool,
    place: Place,
}

/// Where a line stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below those that came before it.
    Among,
    /// Below all others.
    Last,
}

/// A line at the end of standard error; it goes when this is dropped.
#[derive(Debug)]
pub struct Line(u64);

/// Begins a line; it shows after `patience`, if it is still there.
#[must_use]
pub fn line(text: &str, place: Place, patience: Duration) -> Line {
    // An interrupt would else leave half a drawing behind.
    hidden::heed();
    let mut board = board();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    bar.set_style(match place {
        Place::Among => style(PLAIN),
        Place::Last => style(TOTAL),
    });
    bar.set_message(text.to_owned());
    let id = board.next;
    board.next += 1;
    board.all.get_or_insert_with(|| MultiProgress::with_draw_target(screen::target()));
    board.lines.push(Drawn { id, bar, due: Instant::now() + patience, shown: false, place });
    if !std::mem::replace(&mut board.turning, true) {
        // Without a thread nothing is drawn, and nothing else is the worse for it.
        let _ = std::thread::Builder::new().name("bars".into()).spawn(turn);
    }
    Line(id)
}

impl Line {
    /// Says something else.
    pub fn say(&self, text: &str) {
        self.with(|bar| bar.set_message(text.to_owned()));
    }

    /// Says how many bytes went by, and of how many, where that is known.
    pub fn bytes(&self, done: u64, all: Option<u64>) {
        self.with(|bar| {
            if bar.length().is_none() && bar.position() == 0 {
                bar.set_style(style(if all.is_some() { SHARE } else { BYTES }));
            }
            all.into_iter().for_each(|all| bar.set_length(all));
            bar.set_position(done);
        });
    }

    fn with(&self, work: impl FnOnce(&ProgressBar)) {
        let bar = board().lines.iter().find(|line| line.id == self.0).map(|line| line.bar.clone());
        if let Some(bar) = bar {
            work(&bar);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut board = board();
        let Some(at) = board.lines.iter().position(|line| line.id == self.0) else { return };
        let gone = board.lines.remove(at);
        if let (true, Some(all)) = (gone.shown, &board.all) {
            gone.bar.finish_and_clear();
            all.remove(&gone.bar);
        }
    }
}

/// Writes a line of talk above what is drawn.
pub fn say(text: &str) {
    aside(|| {
        let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n'));
    });
}

/// Writes to the terminal while nothing is drawn on it. `write` must not take long: others wait.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let all = board().all.clone();
    match all {
        Some(all) => all.suspend(write),
        None => write(),
    }
}

/// Draws nothing until the guard is dropped: somebody is asked.
#[must_use]
pub fn pause() -> Pause {
    let mut board = board();
    board.pauses += 1;
    board.hide();
    Pause
}

/// Ends a pause when dropped.
#[derive(Debug)]
pub struct Pause;

impl Drop for Pause {
    fn drop(&mut self) {
        let mut board = board();
        board.pauses = board.pauses.saturating_sub(1);
        if let (0, Some(all)) = (board.pauses, &board.all) {
            all.set_draw_target(screen::target());
        }
    }
}

/// Takes everything away before the process ends at once. A terminal that is stopped must not keep it from ending.
pub fn leave() {
    let (done, cleared) = mpsc::channel();
    let clear = move || {
        std::mem::forget(pause());
        let _ = done.send(());
    };
    if std::thread::Builder::new().spawn(clear).is_ok() {
        let _ = cleared.recv_timeout(FAREWELL);
    }
}

impl Board {
    fn hide(&self) {
        if let Some(all) = &self.all {
            let _ = all.clear();
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Shows what is due and fits, and draws.
    fn draw(&mut self) {
        let Some(all) = self.all.clone().filter(|_| self.pauses == 0) else { return };
        let mut room = Screen.rows().saturating_sub(2);
        room = room.saturating_sub(self.lines.iter().filter(|line| line.shown).count());
        let last =
            usize::from(self.lines.iter().any(|line| line.shown && line.place == Place::Last));
        let now = Instant::now();
        for line in self.lines.iter_mut().filter(|line| !line.shown && line.due <= now).take(room) {
            line.shown = true;
            match line.place {
                Place::Among => all.insert_from_back(last, line.bar.clone()),
                Place::Last => all.add(line.bar.clone()),
            };
        }
        self.lines.iter().filter(|line| line.shown).for_each(|line| line.bar.tick());
    }
}

/// Draws again and again while there is a line.
fn turn() {
    loop {
        std::thread::sleep(TURN);
        let mut board = board();
        if board.lines.is_empty() {
            board.turning = false;
            return;
        }
        board.draw();
    }
}

fn style(template: &str) -> ProgressStyle {
    type Out<'a> = &'a mut dyn std::fmt::Write;
    let took = |state: &ProgressState, out: Out<'_>| {
        let _ = out.write_str(&report::duration(state.elapsed()));
    };
    let sent = |state: &ProgressState, out: Out<'_>| {
        let _ = out.write_str(&report::size(state.pos()));
    };
    let size = |state: &ProgressState, out: Out<'_>| {
        let _ = out.write_str(&report::size(state.len().unwrap_or_default()));
    };
    // Only a template that cannot be read is refused, and each of these is a constant.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.tick_chars("|/-\\ ").with_key("took", took).with_key("sent", sent).with_key("size", size)
}

fn board() -> MutexGuard<'static, Board> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// Takes down what is drawn.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            40
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What a line says that is drawn by a template.
    fn drawn(template: &str, all: Option<u64>) -> String {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let bar = ProgressBar::with_draw_target(all, target).with_style(style(template));
        bar.set_position(3 << 20);
        bar.set_message("m".repeat(60));
        bar.abandon();
        let text = paper.0.lock().unwrap().clone();
        text.chars().skip(text.chars().count() - 40).collect()
    }

    #[test]
    fn bytes_are_said_and_their_share_where_all_are_known() {
        assert!(drawn(BYTES, None).starts_with("    0s   3.0 MiB  mmm"), "{}", drawn(BYTES, None));
        let share = drawn(SHARE, Some(12 << 20));
        assert!(share.starts_with("    0s   3.0 MiB of 12.0 MiB, 25%  mmm"), "{share}");
    }

    #[test]
    fn a_line_is_cut_where_the_terminal_ends() {
        for template in [PLAIN, TOTAL] {
            let line = drawn(template, None);
            assert!(line.starts_with("    0s ") && line.chars().count() == 40, "{line:?}");
        }
    }
}
