//! What can be asked for.

use std::path::PathBuf;
use std::time::Duration;

use benches::run::{Motion, Plan};
use clap::{Args, Command};

use crate::Failure;

/// A load.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadOptions {
    /// The server, http://host:port.
    #[arg(long, default_value = "http://127.0.0.1:4000")]
    pub(crate) url: String,
    /// Token to show to a server that asks for one (Socket.IO's auth payload, {"token": …}).
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Process id of the server, on this machine: its CPU time and memory are then reported.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
    /// Rooms, all alike.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rooms: u32,
    /// In each room, peers that only send [default: 1, without --mesh].
    #[arg(long)]
    pub(crate) publishers: Option<u32>,
    /// In each room, peers that only receive, everything.
    #[arg(long, default_value_t = 0)]
    pub(crate) subscribers: u32,
    /// In each room, peers that send, and receive all others.
    #[arg(long, default_value_t = 0)]
    pub(crate) mesh: u32,
    /// Publish Opus: 50 packets a second of 80 to 160 bytes.
    #[arg(long)]
    pub(crate) audio: bool,
    /// Bitrate of the video published, of its largest size; 0: none.
    #[arg(long, default_value_t = 1000)]
    pub(crate) video_kbps: u32,
    /// Publish several sizes of the video (--layers), told apart by RID.
    #[arg(long)]
    pub(crate) simulcast: bool,
    /// Sizes with --simulcast: 2 or 3.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    pub(crate) layers: u8,
    /// Peers a second that begin to join.
    #[arg(long, default_value_t = 100.0, value_parser = positive)]
    pub(crate) join_rate: f64,
    /// Ask for the smallest size of all cameras but one of each room (`preferredLayers` in `consume`).
    #[arg(long)]
    pub(crate) thumbnails: bool,
    /// Do not ask for what is missing. Browsers do.
    #[arg(long)]
    pub(crate) no_nack: bool,
    /// Let the kernel hand over each datagram by itself, even those that were sent joined (UDP GSO): as a browser receives.
    #[arg(long)]
    pub(crate) no_gro: bool,
    /// What is left to chance: the same seed, the same choices.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads that carry media.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
}

/// A load that is measured.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub(crate) duration: f64,
    /// Seconds between the last join and the first that is measured.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) warm_up: f64,
    /// Measure so many times in a row; medians are reported beside them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) windows: u8,
    /// Receivers a second that leave, and as many that join, while it is measured.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) churn: f64,
    /// Receivers that join, at --join-rate, and stay: measured before, meanwhile and after, --duration each.
    #[arg(long, default_value_t = 0, conflicts_with = "windows")]
    pub(crate) late_joins: u32,
    /// Percent of audio or of video that may be missing; beyond it the exit code is 1.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub(crate) max_loss: f64,
    /// Streams of which nothing comes are no failure: the server chooses who is seen (last-N).
    #[arg(long)]
    pub(crate) allow_silent: bool,
    /// Leave out the floor.
    #[arg(long)]
    pub(crate) no_floor: bool,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// Where it is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputOptions {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write a report in Markdown.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Also write a report in HTML, with pictures.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl LoadOptions {
    /// The plan, or what is wrong with it.
    pub(crate) fn plan(&self) -> Result<Plan, String> {
        let publishers = self.publishers.unwrap_or(u32::from(self.mesh == 0));
        let plan = Plan {
            url: self.url.clone(),
            token: self.token.clone(),
            rooms: self.rooms,
            publishers,
            subscribers: self.subscribers,
            mesh: self.mesh,
            bystanders: 0,
            idle_transports: 0,
            audio: self.audio,
            video_bps: (self.video_kbps > 0).then(|| f64::from(self.video_kbps) * 1e3),
            sizes: if self.simulcast { usize::from(self.layers) } else { 1 },
            join_rate: self.join_rate,
            nack: !self.no_nack,
            thumbnails: self.thumbnails,
            gro: !self.no_gro,
            active_rooms: u32::MAX,
            seed: self.seed,
            threads: usize::from(self.threads),
        };
        if !plan.audio && plan.video_bps.is_none() {
            return Err("--video-kbps 0 without --audio: nothing would be sent".to_owned());
        }
        if plan.consumers() == 0 {
            return Err("nobody would receive anything: give --subscribers, or --mesh of 2 at least".to_owned());
        }
        if self.simulcast && plan.video_bps.is_none() {
            return Err("--simulcast with --video-kbps 0: there is no video".to_owned());
        }
        Ok(plan)
    }
}

impl RunOptions {
    /// The plan, or what is wrong with it.
    pub(crate) fn plan(&self) -> Result<Plan, String> {
        if self.churn > 0.0 && self.load.subscribers == 0 {
            return Err("--churn: those who come and go are receivers; give --subscribers".to_owned());
        }
        self.load.plan()
    }

    /// What is measured, in order: its name, and who comes and goes.
    pub(crate) fn phases(&self) -> Vec<(String, Motion)> {
        let quiet = Motion { churn: self.churn, late_joins: 0 };
        if self.late_joins > 0 {
            let joining = Motion { late_joins: self.late_joins, ..quiet };
            return [("before", quiet), ("joining", joining), ("after", quiet)]
                .map(|(l, m)| (l.to_owned(), m))
                .to_vec();
        }
        if self.windows == 1 {
            return vec![("steady".to_owned(), quiet)];
        }
        (1..=self.windows).map(|window| (format!("window {window}"), quiet)).collect()
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration)
    }
}

/// Reads words as the command line would.
pub(crate) fn parsed<T: Args>(words: &str) -> Result<T, Failure> {
    let all = std::iter::once("sluice-bench").chain(words.split_whitespace());
    let matches = T::augment_args(Command::new("sluice-bench")).try_get_matches_from(all)?;
    Ok(T::from_arg_matches(&matches)?)
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e6 => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &str) -> Result<Plan, String> {
        parsed::<RunOptions>(words).map_err(|error| error.to_string())?.plan()
    }

    #[test]
    fn one_publisher_is_the_default_unless_there_is_a_mesh() {
        assert_eq!(plan("--subscribers 5").unwrap().publishers, 1);
        assert_eq!(plan("--mesh 4").unwrap().publishers, 0);
        assert_eq!(plan("--mesh 4 --simulcast").unwrap().sizes, 3);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        let cases = [
            ("", "--subscribers"),
            ("--subscribers 5 --video-kbps 0", "--video-kbps"),
            ("--subscribers 5 --audio --video-kbps 0 --simulcast", "--simulcast"),
            ("--subscribers 5 --join-rate 0", "--join-rate"),
            ("--subscribers 5 --layers 4", "--layers"),
            ("--subscribers five", "--subscribers"),
            ("--mesh 3 --churn 1", "--churn"),
        ];
        for (arguments, named) in cases {
            let problem = plan(arguments).unwrap_err();
            assert!(problem.contains(named), "{arguments}: {problem}");
        }
    }
}
