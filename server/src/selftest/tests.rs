use std::net::UdpSocket;

use super::*;

/// The configuration that these flags make.
fn config(flags: &[&str]) -> Config {
    let matches = crate::config::command().get_matches_from(["sluice", "--allow-anonymous=on"].iter().chain(flags));
    Config::load([], &matches).unwrap().0
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|ip| ip.parse().unwrap()).collect()
}

/// Harm prevented: the first meeting with people from elsewhere has no pictures, and nothing says why.
#[test]
fn an_address_that_is_not_announced_behind_nat_is_told() {
    let nat = Some("ANNOUNCED_IP is not set, and 10.0.0.5 is of a private network");
    let loopback = Some("LISTEN_IP is loopback alone, and HTTP_LISTEN_IP is not");
    for (flags, interfaces, expected) in [
        (&["--listen-ip=0.0.0.0"][..], &["10.0.0.5", "127.0.0.1"][..], nat),
        (&["--listen-ip=0.0.0.0,::"], &["10.0.0.5", "2001:db8::1", "127.0.0.1"], nat),
        (&["--listen-ip=10.0.0.5"], &["10.0.0.5", "203.0.113.7"], nat),
        (&["--listen-ip=0.0.0.0"], &["100.64.1.2"], Some("ANNOUNCED_IP is not set, and 100.64.1.2")),
        (&["--listen-ip=0.0.0.0"], &["10.0.0.5", "203.0.113.7"], None),
        (&["--listen-ip=0.0.0.0", "--announced-ip=203.0.113.7"], &["10.0.0.5"], None),
        (&["--listen-ip=0.0.0.0", "--announced-ip=auto"], &["10.0.0.5"], None),
        (&["--listen-ip=::"], &["10.0.0.5", "2001:db8::1"], None),
        (&[], &["10.0.0.5"], None),
        (&["--http-listen-ip=0.0.0.0"], &["10.0.0.5"], loopback),
    ] {
        let told = media_out_of_reach(&config(flags), &ips(interfaces));
        match expected {
            Some(expected) => {
                assert!(told.as_ref().is_some_and(|told| told.starts_with(expected)), "{flags:?} {told:?}")
            }
            None => assert_eq!(told, None, "{flags:?}"),
        }
    }
}

#[test]
fn an_address_of_another_machine_is_told_by_its_setting() {
    // Documentation addresses (RFC 5737) are nobody's.
    let problems = foreign_addresses(&config(&["--listen-ip=198.51.100.1,127.0.0.1", "--http-listen-ip=198.51.100.2"]));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("LISTEN_IP: 198.51.100.1 is not an address of this machine"), "{problems:?}");
    assert!(problems[1].starts_with("HTTP_LISTEN_IP: 198.51.100.2 is not"), "{problems:?}");
}

#[test]
fn a_port_in_use_is_told_and_who_takes_any_port_does_not_care() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (min, max) = (format!("--rtc-min-port={port}"), "--rtc-max-port=65535".to_owned());
    let flags = ["--workers=1", "--port=0", &min, &max];
    let told = ports_in_use(&config(&flags)).unwrap();
    assert!(told.starts_with(&format!("in use or not allowed: UDP {port}")), "{told}");
    assert_eq!(ports_in_use(&config(&[&flags[..], &["--rtc-ports=transport"]].concat())), None);
}

#[test]
fn a_range_too_small_for_transports_is_told() {
    let range =
        |max: &str| config(&["--rtc-ports=transport", "--rtc-min-port=40000", &format!("--rtc-max-port={max}")]);
    assert_eq!(
        few_ports(&range("40009")).unwrap(),
        "RTC_MIN_PORT to RTC_MAX_PORT are 10 ports, and RTC_PORTS gives each transport one: 5 people"
    );
    assert_eq!(few_ports(&range("49999")), None);
    assert_eq!(few_ports(&config(&["--workers=1", "--rtc-min-port=40000", "--rtc-max-port=40000"])), None);
}

#[test]
fn a_clock_that_is_behind_is_told() {
    let written = OffsetDateTime::from_unix_timestamp(WRITTEN_UNIX_S).unwrap();
    let now = written + Duration::days(100);
    let file = |time: OffsetDateTime| vec![(PathBuf::from("/s.toml"), time)];
    assert!(clock(written - Duration::days(1), vec![]).unwrap().contains("this program is younger"));
    assert!(clock(now, file(now + Duration::days(2))).unwrap().contains("/s.toml was changed"));
    assert_eq!(clock(now, file(now + Duration::hours(3))), None);
    assert_eq!(clock(now, file(written)), None);
}
