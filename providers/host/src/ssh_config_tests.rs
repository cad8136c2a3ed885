use super::*;

fn about(text: &str, host: &str) -> HostOptions {
    SshConfig::read("config", text, Path::new("/home/me")).about(host)
}

#[test]
fn the_first_value_counts_and_keys_add_up() {
    let text = "User everybody\n\
                # a comment\n\
                Host web *.example.org !bad.example.org\n\
                \tHostName = 203.0.113.7\n\
                \tUser late\n\
                \tPort=2222\n\
                \tIdentityFile \"~/.ssh/my key\"\n\
                \tIdentityFile %d/.ssh/%h\n\
                Host *\n\
                \tPort 9\n\
                \tidentitiesonly YES\n\
                \tUserKnownHostsFile ~/.ssh/known ~/.ssh/more # both\n";
    let web = about(text, "WEB");
    assert_eq!(web.host_name.as_deref(), Some("203.0.113.7"));
    assert_eq!((web.user.as_deref(), web.port), (Some("everybody"), Some(2222)));
    let keys = ["/home/me/.ssh/my key", "/home/me/.ssh/WEB"].map(PathBuf::from);
    assert_eq!(web.identity_files, keys);
    assert!(web.identities_only);
    assert_eq!(web.known_hosts, ["/home/me/.ssh/known", "/home/me/.ssh/more"].map(PathBuf::from));
    assert_eq!(about(text, "bad.example.org").port, Some(9));
    assert_eq!(about(text, "a.example.org").port, Some(2222));
}

#[test]
fn bastions_are_read_in_all_their_forms() {
    let jumps = |value: &str| about(&format!("ProxyJump {value}"), "x").jumps;
    let jump = |user: Option<&str>, host: &str, port| Jump {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
    };
    assert_eq!(jumps("a"), [jump(None, "a", None)]);
    assert_eq!(
        jumps("me@a:22,[2001:db8::1]:2222"),
        [jump(Some("me"), "a", Some(22)), jump(None, "2001:db8::1", Some(2222))]
    );
    assert_eq!(jumps("ssh://me@a:22"), [jump(Some("me"), "a", Some(22))]);
    assert_eq!(jumps("2001:db8::1"), [jump(None, "2001:db8::1", None)]);
    assert_eq!(jumps("none"), []);
    // The first value counts, so a host may do without what holds for all.
    assert_eq!(about("Host x\nProxyJump none\nHost *\nProxyJump a", "x").jumps, []);
}

#[test]
fn blocks_that_are_not_read_are_named_and_hold_for_nobody() {
    let text = "Include conf.d/*\nMatch user me\n  Port 7\nHost x\n  User u\n";
    let config = SshConfig::read("~/.ssh/config", text, Path::new("/home/me"));
    assert_eq!(config.remarks().len(), 2);
    assert!(
        config.remarks()[1].starts_with("~/.ssh/config:2: ")
            && config.remarks()[1].contains("Match")
    );
    assert_eq!(config.about("x"), HostOptions { user: Some("u".into()), ..HostOptions::default() });
}

#[test]
fn hostile_text_is_read_without_harm() {
    for text in
        ["=", "\"", "Host", "Host \"", "Port x\nPort 99999", "HostName", "ProxyJump ,@:", "\0"]
    {
        let _ = about(text, "x");
    }
}
