//! What was measured, and the page of it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(crate) fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    all.sort();
    all[times / 2]
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A line of the table.
struct Figure {
    what: String,
    measured: String,
    promised: String,
}

static TABLE: Mutex<Vec<Figure>> = Mutex::new(Vec::new());

pub(crate) fn figure(
    what: impl Into<String>,
    measured: impl Into<String>,
    promised: impl Into<String>,
) {
    let figure = Figure { what: what.into(), measured: measured.into(), promised: promised.into() };
    println!("{}: {} ({})", figure.what, figure.measured, figure.promised);
    TABLE.lock().unwrap().push(figure);
}

pub(crate) fn page() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processor, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut page = format!(
        "# Performance

Made by `COLDLOG_PERFORMANCE=../docs/performance.md cargo bench -p coldlog-tests`; do not edit. Each ratio is to a
baseline of the same run: times of one machine say little about another, and on a shared one not even about itself.

Machine: {}, {cores} cores, {} of memory, Linux {}.

| what | measured | promised |
|---|---|---|
",
        field(&processor, "model name"),
        field(&memory, "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim()
    );
    for Figure { what, measured, promised } in TABLE.lock().unwrap().iter() {
        page.push_str(&format!("| {what} | {measured} | {promised} |\n"));
    }
    page
}
