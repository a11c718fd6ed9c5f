//! The loads of the table.

use benches::report::RunReport;
use benches::run::Phase;
use benches::run::phase::KindReport;
use clap::Args;

use super::target::{MEDIASOUP_AUDIO, MEDIASOUP_FAN_OUT, MEDIASOUP_MESH, Reference, Target, short};
use super::{Bench, Row};
use crate::options::{RunOptions, parsed};
use crate::server::Server;
use crate::{Failure, capacity, idle, memory, overload, run};

/// In the order in which they run.
pub(super) const ALL: [Row; 10] = [
    ("fan-out", fan_out),
    ("mesh", mesh),
    ("audio", audio),
    ("capacity", most),
    ("overload", too_much),
    ("joins", joins),
    ("memory", memory_row),
    ("idle", idle_row),
    ("meeting", meeting),
    ("two workers", two_workers),
];

/// Packets a second of a camera of 1 Mbit/s.
const VIDEO_PPS: f64 = 120.0;
/// Packets a second of a microphone.
const AUDIO_PPS: f64 = 50.0;
/// Subscribers of each room where rooms are the measure.
const ROOM: u32 = 50;
/// Rooms at most: with all their sockets they fit into the usual limit of open files.
const ROOMS_MAX: u32 = 110;

/// Beside what a row asks for.
const WINDOWS: &str = "--windows 3 --duration 4 --warm-up 3 --max-loss 1";

fn fan_out(bench: &mut Bench) -> Result<(), Failure> {
    let mut at_50 = None;
    // A room has 1 000 sockets at most, the publisher's among them.
    for subscribers in [10, 50, 200, 999] {
        let name = format!("1 → {subscribers}, 1 Mbit/s video");
        let words = format!("--subscribers {subscribers} --join-rate 200 {WINDOWS}");
        let report = load(bench, &name, &words)?;
        let cpu_us = report.median.cpu_us_per_packet.unwrap_or(f64::NAN);
        let multiple = report.floor_multiple.unwrap_or(f64::NAN);
        if let Some((_, earlier)) = MEDIASOUP_FAN_OUT.iter().find(|(size, _)| *size == subscribers) {
            let reference = reference(bench, &name, &words, earlier)?;
            if subscribers >= 50 {
                against_mediasoup(bench, &name, &report, reference, 5.0);
            }
            latency_against_mediasoup(bench, &name, &report, reference, 5.0);
        }
        if subscribers >= 50 {
            bench.target(Target::at_most(&name, "CPU per packet", multiple, 1.25, "× floor"));
        }
        match subscribers {
            50 => at_50 = Some(cpu_us),
            200 => bench.fan_out_cpu_us = Some(cpu_us),
            999 => {
                let ratio = at_50.map_or(f64::NAN, |at_50| cpu_us / at_50);
                bench.target(Target::at_most(&name, "CPU per packet", ratio, 1.15, "× that of 50"));
            }
            _ => {}
        }
    }
    let words = format!("--subscribers 50 --join-rate 200 --no-gro {WINDOWS}");
    load(bench, "1 → 50, receivers without GRO", &words).map(drop)
}

fn mesh(bench: &mut Bench) -> Result<(), Failure> {
    let name = "10 rooms, mesh of 4, audio + 500 kbit/s";
    let words = format!("--rooms 10 --mesh 4 --audio --video-kbps 500 {WINDOWS}");
    let report = load(bench, name, &words)?;
    let reference = reference(bench, name, &words, &MEDIASOUP_MESH)?;
    against_mediasoup(bench, name, &report, reference, 3.0);
    latency_against_mediasoup(bench, name, &report, reference, 1.0);
    Ok(())
}

fn audio(bench: &mut Bench) -> Result<(), Failure> {
    let name = "audio, 10 → 50";
    let words = format!("--publishers 10 --subscribers 50 --audio --video-kbps 0 {WINDOWS}");
    let report = load(bench, name, &words)?;
    let reference = reference(bench, name, &words, &MEDIASOUP_AUDIO)?;
    against_mediasoup(bench, name, &report, reference, 2.0);
    Ok(())
}

fn most(bench: &mut Bench) -> Result<(), Failure> {
    // More than one core could carry at the price of 200 subscribers: with more of them a packet costs less.
    let expected_pps = 1e6 / bench.fan_out_cpu_us.unwrap_or(4.0);
    let rooms = rooms_for(1.8 * expected_pps, VIDEO_PPS);
    let server = bench.server(&[])?;
    let words = format!("--rooms {rooms} --subscribers {ROOM} --join-rate 250 --max-loss 0.5 --duration 3");
    let options: capacity::Options = command(bench, "capacity", &server, &words)?;
    let report = capacity::measured(&options)?;
    let name = "most with < 0.5 % missing, 1 Mbit/s video";
    let Some(phase) = &report.capacity else { return Err("not even one room went".into()) };
    let bound = if report.is_lower_bound {
        " (it carries more: the generator, or the number of rooms, was the limit)"
    } else {
        ""
    };
    bench.page.notes.push(format!(
        "{name}: **{:.0} packets/s** to {} receivers{bound}; p50 {} ms, p99 {} ms; server {} % of a core, generator {} %. Tries, with what was missing or left out: {}",
        phase.packets_per_second,
        report.rooms * ROOM,
        short(phase.latency.p50_us / 1e3),
        short(phase.latency.p99_us / 1e3),
        short(phase.server.as_ref().map_or(f64::NAN, |server| server.cpu_percent)),
        short(phase.generator.busiest_thread_percent),
        report
            .tries
            .iter()
            .map(|this| format!("to {} {:.2} %", this.rooms * ROOM, this.missed_percent()))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    let measured: Vec<Phase> = report.capacity.iter().chain(&report.half).cloned().collect();
    bench.page.distorted(name, &benches::report::warnings(&measured));
    bench.target(Target::at_least(name, "rate", phase.packets_per_second, 250_000.0, "packets/s"));
    bench.target(Target::at_most(name, "p99", phase.latency.p99_us / 1e3, 20.0, "ms"));
    if let Some(half) = &report.half {
        bench.page.notes.push(format!(
            "half of that, {:.0} packets/s: p50 {} ms, p99 {} ms, p99.9 {} ms",
            half.packets_per_second,
            short(half.latency.p50_us / 1e3),
            short(half.latency.p99_us / 1e3),
            short(half.latency.p999_us / 1e3)
        ));
        let latency = &half.latency;
        for (what, value, limit) in
            [("p50", latency.p50_us, 100.0), ("p99", latency.p99_us, 1_000.0), ("p99.9", latency.p999_us, 5_000.0)]
        {
            bench.target(Target::at_most("added latency at half load", what, value, limit, "µs"));
        }
    }
    Ok(())
}

fn too_much(bench: &mut Bench) -> Result<(), Failure> {
    // Sound costs more than pictures, a packet: what is the capacity for both has to be measured with both.
    let rooms = rooms_for(1.3e6 / bench.fan_out_cpu_us.unwrap_or(4.0), VIDEO_PPS + AUDIO_PPS);
    let words = format!("--rooms {rooms} --subscribers {ROOM} --audio --join-rate 250 --max-loss 0.5 --duration 3");
    let capacity_rooms = {
        let server = bench.server(&[])?;
        let options: capacity::Options = command(bench, "capacity", &server, &words)?;
        capacity::measured(&options)?.rooms.max(1)
    };
    let rooms = (2 * capacity_rooms).min(ROOMS_MAX);
    let base = (rooms / 4).max(1);
    let server = bench.server(&[])?;
    let words =
        format!("--rooms {rooms} --base-rooms {base} --subscribers {ROOM} --audio --join-rate 250 --duration 5");
    let options: overload::Options = command(bench, "overload", &server, &words)?;
    let report = overload::measured(&options)?;
    let name = "twice the capacity, audio + video";
    let [before, overload, ..] = report.phases.as_slice() else { return Err("nothing was measured".into()) };
    let missed = |kind: &Option<KindReport>| kind.as_ref().map_or(f64::NAN, KindReport::missed_percent);
    bench.page.notes.push(format!(
        "{name} (it carries {capacity_rooms} rooms, {rooms} come): {:.0} packets/s before, {:.0} of {:.0} during; of audio {} % missing or left out, of video {} %; p99 of audio {} ms, \
         of both {} ms",
        before.packets_per_second,
        overload.packets_per_second,
        f64::from(rooms * ROOM) * (VIDEO_PPS + AUDIO_PPS),
        short(missed(&overload.audio)),
        short(missed(&overload.video)),
        short(overload.audio.as_ref().map_or(f64::NAN, |audio| audio.latency.p99_us / 1e3)),
        short(overload.latency.p99_us / 1e3),
    ));
    bench.target(Target::at_most(name, "audio missing or left out", missed(&overload.audio), 1.0, "%"));
    bench.target(Target::at_most(name, "p99", overload.latency.p99_us / 1e3, 50.0, "ms"));
    bench.target(Target::at_most(name, "recovery", report.recovery_ms.unwrap_or(f64::NAN), 2_000.0, "ms"));
    bench.page.distorted(name, &benches::report::warnings(&report.phases));
    Ok(())
}

fn joins(bench: &mut Bench) -> Result<(), Failure> {
    let name = "500 join within 5 s while 10 calls run";
    let server = bench.server(&[])?;
    let words = "--rooms 10 --publishers 1 --subscribers 5 --audio --video-kbps 500 --late-joins 500 --join-rate 100 --duration 5 \
                 --no-floor";
    let options: RunOptions = command(bench, "", &server, words)?;
    let (report, _) = run::measured(&options, words.to_owned())?;
    let [before, joining, after] = report.phases.as_slice() else { return Err("nothing was measured".into()) };
    let p99_ms = [before, joining, after].map(|phase| phase.latency.p99_us / 1e3);
    bench.page.notes.push(format!(
        "{name}: p99 of those who were there {} ms before, {} ms meanwhile, {} ms after; a join took {:.0} ms (p50), {:.0} ms (p99)",
        short(p99_ms[0]),
        short(p99_ms[1]),
        short(p99_ms[2]),
        report.joins.join_p50_ms,
        report.joins.join_p99_ms
    ));
    bench.page.care(name, &report);
    bench.target(Target::at_most(name, "p99 meanwhile", p99_ms[1] - p99_ms[0], 5.0, "ms more than before"));
    Ok(())
}

fn memory_row(bench: &mut Bench) -> Result<(), Failure> {
    let server = bench.server(&[])?;
    let words = "--rooms 10 --publishers 1 --subscribers 99 --join-rate 400 --cycles 10";
    let options: memory::Options = command(bench, "memory", &server, words)?;
    let report = memory::measured(&options)?;
    let name = format!("memory after {} joins and leaves", report.joins);
    let after: Vec<String> = report.after.iter().map(memory::told).collect();
    let start = report.at_start;
    bench.page.notes.push(format!("{name}: {} at the start, then {}", memory::told(&start), after.join(", ")));
    let [first, .., last] = report.after.as_slice() else { return Err("too few cycles".into()) };
    let growth = |now: u64, from: u64| (now as f64 / from.max(1) as f64 - 1.0) * 100.0;
    let resident = growth(last.resident_bytes, start.resident_bytes);
    bench.target(Target::at_most(&name, "more than at the start", resident, 5.0, "%"));
    let anonymous = growth(last.anonymous_bytes, first.anonymous_bytes);
    bench.target(Target::undecided(
        &name,
        "anonymous, more than after the first cycle",
        format!("{} %", short(anonymous)),
    ));
    Ok(())
}

fn idle_row(bench: &mut Bench) -> Result<(), Failure> {
    let server = bench.server(&[])?;
    let words = "--people 5000 --transports 2 --join-rate 250 --duration 10";
    let options: idle::Options = command(bench, "idle", &server, words)?;
    let idle::Report { sessions, transports, warnings } = idle::measured(&options)?;
    let name = format!("{} idle transports", transports.count);
    let kib = |idle: &idle::Idle| idle.resident_bytes_each / 1024.0;
    bench.page.notes.push(format!(
        "{name}, of {} people: {} KiB each, beside {} KiB for each person; {} % of a core, beside {} % for the people",
        sessions.count,
        short(kib(&transports)),
        short(kib(&sessions)),
        short(transports.cpu_percent),
        short(sessions.cpu_percent)
    ));
    bench.target(Target::at_most(&name, "memory of each", kib(&transports), 64.0, "KiB"));
    bench.target(Target::undecided(
        &name,
        "their CPU is known",
        format!("{} % of a core", short(transports.cpu_percent)),
    ));
    bench.page.distorted(&name, &warnings);
    Ok(())
}

fn meeting(bench: &mut Bench) -> Result<(), Failure> {
    let name = "150 × 150, last-N 25, loudest 3";
    let server = bench.server(&[("LAST_N", "25"), ("LOUDEST_N", "3")])?;
    let words = "--mesh 150 --audio --video-kbps 600 --simulcast --layers 2 --thumbnails --join-rate 10 --duration 5 --warm-up 5 \
                 --no-floor --max-loss 100 --allow-silent";
    let options: RunOptions = command(bench, "", &server, words)?;
    let (report, _) = run::measured(&options, words.to_owned())?;
    bench.page.load(name, &report);
    let cpu =
        report.phases.first().and_then(|phase| phase.server.as_ref()).map_or(f64::NAN, |server| server.cpu_percent);
    let measured = format!("{:.0} packets/s, server {} % of a core", report.median.packets_per_second, short(cpu));
    bench.target(Target::undecided(name, "runs on the 2 cores at all", measured));
    Ok(())
}

fn two_workers(bench: &mut Bench) -> Result<(), Failure> {
    let name = "1 → 500 on two workers, both cores shared with the generator";
    let server = bench.server_of_two()?;
    let report = load_of(
        bench,
        name,
        &server,
        "--subscribers 500 --join-rate 200 --windows 3 --duration 4 --warm-up 3 --max-loss 1",
    )?;
    let threads = report.phases.last().and_then(|phase| phase.server.as_ref()).map(|server| {
        let threads = server.threads.iter().map(|thread| format!("{} {:.0} %", thread.name, thread.cpu_percent));
        threads.collect::<Vec<_>>().join(", ")
    });
    let cpu_us = report.median.cpu_us_per_packet.unwrap_or(f64::NAN);
    bench.target(Target::undecided(
        "one room on 2 workers",
        "≥ 1.8 × one worker's capacity",
        format!(
            "not decided: two workers and the generator need three cores. CPU per packet {} µs (one worker, 200: {}); threads: {}",
            short(cpu_us),
            bench.fan_out_cpu_us.map_or("unknown".to_owned(), short),
            threads.unwrap_or_default()
        ),
    ));
    Ok(())
}

/// Rooms of [`ROOM`] receivers that make so many packets a second.
fn rooms_for(packets_per_second: f64, per_receiver_pps: f64) -> u32 {
    let rooms = (packets_per_second / (f64::from(ROOM) * per_receiver_pps)).ceil();
    if rooms.is_finite() { (rooms as u32).clamp(4, ROOMS_MAX) } else { 4 }
}

/// Runs a load against a server of its own, and adds it to the table.
fn load(bench: &mut Bench, name: &str, words: &str) -> Result<RunReport, Failure> {
    let server = bench.server(&[])?;
    load_of(bench, name, &server, words)
}

fn load_of(bench: &mut Bench, name: &str, server: &Server, words: &str) -> Result<RunReport, Failure> {
    let options: RunOptions = command(bench, "", server, words)?;
    let (report, _) = run::measured(&options, words.to_owned())?;
    bench.page.load(name, &report);
    Ok(report)
}

/// What mediasoup takes for the same load, which is then added to the table as well, or took `earlier`.
fn reference(bench: &mut Bench, name: &str, words: &str, earlier: &Reference) -> Result<Reference, Failure> {
    let Some(server) = bench.mediasoup()? else { return Ok(*earlier) };
    let median = load_of(bench, &format!("{name}, mediasoup"), &server, words)?.median;
    Ok(Reference {
        cpu_us_per_packet: median.cpu_us_per_packet.unwrap_or(f64::NAN),
        latency_p50_us: median.latency_p50_us,
        latency_p99_us: median.latency_p99_us,
    })
}

/// Reads words as the command line would, and notes them.
fn command<T: Args>(bench: &mut Bench, subcommand: &str, server: &Server, words: &str) -> Result<T, Failure> {
    let noted = format!("sluice-bench {subcommand} {words}").split_whitespace().collect::<Vec<_>>().join(" ");
    // What is run against mediasoup as well is one command.
    if bench.page.commands.last() != Some(&noted) {
        bench.page.commands.push(noted);
    }
    parsed(&format!("--url {} --server-pid {} {words}", server.url(), server.pid()))
}

/// A part of mediasoup's CPU.
fn against_mediasoup(bench: &mut Bench, name: &str, report: &RunReport, reference: Reference, part: f64) {
    let cpu_us = report.median.cpu_us_per_packet.unwrap_or(f64::NAN);
    bench.target(Target::part_of_mediasoup(name, "CPU per packet", cpu_us, reference.cpu_us_per_packet, part, "µs"));
}

/// A part of mediasoup's latency.
fn latency_against_mediasoup(bench: &mut Bench, name: &str, report: &RunReport, reference: Reference, part: f64) {
    let median = &report.median;
    for (quantile, value, theirs) in [
        ("p50", median.latency_p50_us, reference.latency_p50_us),
        ("p99", median.latency_p99_us, reference.latency_p99_us),
    ] {
        bench.target(Target::part_of_mediasoup(name, quantile, value / 1e3, theirs / 1e3, part, "ms"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_follow_the_rate_within_limits() {
        assert_eq!(rooms_for(60_000.0, 120.0), 10);
        assert_eq!(rooms_for(1.0, 120.0), 4);
        assert_eq!(rooms_for(f64::INFINITY, 120.0), 4);
        assert_eq!(rooms_for(1e9, 120.0), ROOMS_MAX);
    }

    #[test]
    fn what_every_row_asks_for_is_an_option() {
        let options: RunOptions = parsed(&format!("--subscribers 1 {WINDOWS}")).unwrap();
        assert!(options.plan().is_ok());
    }
}
