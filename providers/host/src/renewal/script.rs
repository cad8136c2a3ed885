//! What a host runs to get a key of its own.

use crate::session::quote;
use crate::ssh::Fingerprint;

/// The host's key, the one that waits to take its place, and how to read a public key out of either.
const NAMES: &str = r#"k="${IPAI_ROOT-}/etc/ssh/ssh_host_ed25519_key"
n=$k.ipai-new
public() { ssh-keygen -y -P '' -f "$1" </dev/null | cut -d' ' -f2; }
"#;

const PREPARE: &str = r#"command -v ssh-keygen >/dev/null || { echo 'there is no ssh-keygen' >&2; exit 3; }
now=$(public "$k")
[ -n "$now" ] || { echo "$k cannot be read" >&2; exit 4; }
print=$(printf %s "$now" | base64 -d | sha256sum | cut -d' ' -f1)
case " $born " in
  *" $print "*)
    fresh=
    [ ! -f "$n" ] || fresh=$(public "$n" 2>/dev/null)
    if [ -z "$fresh" ]; then
      rm -f -- "$n" "$n.pub"
      ssh-keygen -q -t ed25519 -N '' -C ipai -f "$n" </dev/null >&2 || exit 5
      fresh=$(public "$n")
    fi
    chmod 600 "$n" && sync "$n" || exit 6
    now=$fresh ;;
esac
echo "key $now"
"#;

/// A unit that is not active, as where a socket starts a server for each connection, has nothing to reload: whether the
/// switch worked is told by the next connection.
const SWITCH: &str = r#"if [ -f "$n" ] && [ "$(public "$n")" = "$wanted" ]; then
  mv -f -- "$n" "$k" || exit 5
fi
[ "$(public "$k")" = "$wanted" ] || { echo "$k is another key by now" >&2; exit 6; }
rm -f -- "$n" "$n.pub"
printf 'ssh-ed25519 %s ipai\n' "$wanted" >"$k.pub.ipai-new" && chmod 644 "$k.pub.ipai-new" && mv -f -- "$k.pub.ipai-new" "$k.pub" || exit 7
sync "$k" "$k.pub" "${k%/*}"
for unit in ssh sshd; do
  systemctl reload "$unit" >&2 && exit 0
done
exit 0
"#;

/// Makes a key beside one of those that came from outside; says which key the host ends up with.
pub(super) fn prepare(born: &[Fingerprint]) -> String {
    let born: Vec<String> = born.iter().map(|key| key.to_hex()).collect();
    format!("{NAMES}born={}\n{PREPARE}", quote(&born.join(" ")))
}

/// Puts that key in the place of the old one and tells the server. Sessions that stand are kept.
pub(super) fn switch(wanted: &str) -> String {
    format!("{NAMES}wanted={}\n{SWITCH}", quote(wanted))
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
