//! The releases that a host keeps: contents by their digest, each once, and two small files for each release.
//!
//! `releases/blobs/SHA256` are copies, not links: a file that somebody edits in place must not change what was kept.
//! `releases/N.sums` says which path had which content, `releases/N.json` everything else. Both are in place before the
//! manifest names the release, and what the manifest no longer names is swept after it was written.

use std::fmt::Write as _;

use super::{Keeping, Push, Source};
use crate::file::path;
use crate::manifest;
use crate::observe::script::SUMS;
use crate::session::{Part, fill, quote};

const KEEP: &str = r#"r=@HOME@/releases t=@HOME@/@TEMP@/kept
mkdir -p -- "$r/blobs" "$t" || exit 93
sums "$(printf '%s\n' @PATHS@)" >@HOME@/@TEMP@/release.sums || exit 93
while IFS= read -r l; do
  h=${l%%  *} p=${l#*  }
  [ -e "$r/blobs/$h" ] || [ -e "$t/$h" ] || { cp -- "$p" "$t/$h" && echo "$h  $h" >&3; } || exit 93
done <@HOME@/@TEMP@/release.sums 3>@HOME@/@TEMP@/kept.sums
if [ -s @HOME@/@TEMP@/kept.sums ]; then
  (cd -- "$t" && sha256sum --quiet --strict -c ../kept.sums && printf '%s\n' * | xargs sync -- && printf '%s\n' * | xargs mv -f -t ../../releases/blobs --) || exit 93
fi
sync -- @HOME@/@TEMP@/release.sums @HOME@/@TEMP@/release.json "$r/blobs" &&
mv -f -T -- @HOME@/@TEMP@/release.sums "$r/@ID@.sums" &&
mv -f -T -- @HOME@/@TEMP@/release.json "$r/@ID@.json" &&
sync -- "$r" || exit 93
"#;

/// Whatever goes wrong here is put right by the next one.
const SWEEP: &str = r#"r=@HOME@/releases
for f in "$r"/*.json "$r"/*.sums; do
  n=${f##*/}
  case @KEPT@ in *" ${n%.*} "*) ;; *) rm -f -- "$f" ;; esac
done
cut -c1-64 -- "$r"/*.sums 2>/dev/null | sort -u >@HOME@/@TEMP@/used
ls -- "$r/blobs" 2>/dev/null | comm -13 -- @HOME@/@TEMP@/used - | (cd -- "$r/blobs" && xargs -r rm -f --)
:
"#;

impl Push {
    /// The description of the release that this push records.
    pub(super) fn new_release(&self) -> Option<&str> {
        Some(&self.keeping.as_ref()?.new.as_ref()?.1)
    }

    /// Takes contents out of what the host keeps, to where the others were unpacked.
    pub(super) fn fetch(&self, script: &mut String) {
        let blobs = format!(".{}/releases/blobs", manifest::folder(&self.stack));
        for file in &self.files {
            let Source::Kept(sha256) = &file.content else { continue };
            let (folder, name) = path::split(&file.path);
            let place = format!(".{}", self.place(folder, name));
            let (within, _) = path::split(&place);
            // Writing to a text cannot fail.
            let _ = writeln!(
                script,
                "mkdir -p -- {} && cp -- {} {} || exit 94",
                quote(within),
                quote(&format!("{blobs}/{sha256}")),
                quote(&place)
            );
        }
    }

    /// Keeps what lies there as a new release.
    pub(super) fn keep(&self, keeping: &Keeping) -> String {
        let Some((id, _)) = &keeping.new else { return String::new() };
        let paths = keeping.paths.iter().map(|path| quote(&format!(".{path}")));
        let paths = paths.collect::<Vec<_>>().join(" ");
        format!("{SUMS}{}", self.fill_keeping(KEEP, &paths, &id.to_string(), ""))
    }

    /// Sweeps what is no longer kept.
    pub(super) fn sweep(&self, keeping: &Keeping) -> String {
        let kept: String = keeping.kept.iter().map(|id| format!(" {id}")).collect();
        self.fill_keeping(SWEEP, "", "", &format!("{kept} "))
    }

    fn fill_keeping(&self, template: &str, paths: &str, id: &str, kept: &str) -> String {
        let (home, temporary) = (format!(".{}", manifest::folder(&self.stack)), self.temporary());
        let parts = [
            ("HOME", Part::Word(&home)),
            ("TEMP", Part::Word(&temporary)),
            ("PATHS", Part::Script(paths)),
            ("ID", Part::Script(id)),
            ("KEPT", Part::Word(kept)),
        ];
        fill(template, &parts)
    }
}
