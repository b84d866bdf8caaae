//! Is what is shown over time what the report says in sum, and is a trace one that
//! others read?

mod setup;

use std::collections::BTreeMap;

use dtatrans_accel::Machine;
use dtatrans_accel::report::Cause;
use dtatrans_precision::{ModelShape, Tier};
use setup::run;
use xi_trace::{Sample, SampleEventType, chrome_trace_dump};

/// The events of a trace, read by another project's reader of the format, which does
/// not know counters: these are numbers by name.
fn events(json: &str) -> Vec<Sample> {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["otherData"]["time"], "1 us is 1 cycle");
    let all = value["traceEvents"].as_array().unwrap().iter();
    let (counters, others): (Vec<_>, Vec<_>) = all.cloned().partition(|event| event["ph"] == "C");
    assert!(!counters.is_empty());
    for counter in counters {
        assert!(counter["ts"].is_u64() && counter["name"].is_string());
        assert!(
            counter["args"]
                .as_object()
                .unwrap()
                .values()
                .all(|value| value.is_u64())
        );
    }
    chrome_trace_dump::decode(others.into()).unwrap()
}

#[test]
fn a_trace_is_in_the_trace_event_format() {
    let header = setup::header(setup::minilm());
    let input = setup::scattered(&header, 60, 20, 40);
    for name in Machine::builtin_names() {
        let machine = Machine::builtin(name).unwrap();
        let recording = machine.record(&header, &input).unwrap();
        let report = run(name, &header, &input);
        let scope = report.encoder.as_ref().unwrap_or(&report.attention);
        assert_eq!(recording.timeline.cycles, scope.cycles, "{name}");
        assert_eq!(recording.layers(), header.model.layers);

        let all = events(&recording.trace_events(0..recording.layers()));
        let mut tracks: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        let mut names = 0;
        for event in &all {
            match event.event_type {
                SampleEventType::CompleteDuration => {
                    let end = event.timestamp_us + event.duration_us.unwrap();
                    assert!(end <= scope.cycles, "{name}: {event:?}");
                    let track = tracks.entry(event.tid).or_default();
                    track.push((event.timestamp_us, end));
                    assert!(event.name.starts_with("layer "));
                }
                SampleEventType::Metadata => names += 1,
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(names >= tracks.len());
        // A unit does one thing at a time; results of several arrays leave at once.
        for (track, mut spans) in tracks {
            spans.sort_unstable();
            let overlaps = spans
                .windows(2)
                .filter(|pair| pair[1].0 < pair[0].1)
                .count();
            assert!(overlaps == 0 || track == 1, "{name}: track {track}");
        }
        let one = events(&recording.trace_events(1..2));
        assert!(one.len() < all.len() && one.len() > 5);
        let of_layer = |event: &&Sample| event.name.starts_with("layer ");
        assert!(
            one.iter()
                .filter(of_layer)
                .all(|event| event.name.starts_with("layer 1 "))
        );
    }
}

#[test]
fn shares_over_time_are_the_reports_in_sum() {
    for (model, n) in [(setup::minilm(), 25), (ModelShape::bert_base(), 128)] {
        let header = setup::header_tier_probabilities(model);
        let input = setup::scattered(&header, n, 20, 40);
        for name in ["vssa-512", "vssa-4096", "systolic-128"] {
            let machine = Machine::builtin(name).unwrap();
            let recording = machine.record(&header, &input).unwrap();
            let report = run(name, &header, &input);
            let scope = report.encoder.as_ref().unwrap();
            let bins = 50;
            let shares = recording.shares(bins);
            for (index, cause) in Cause::ALL.into_iter().enumerate() {
                let sum: f64 = shares.iter().map(|bin| bin[index]).sum::<f64>() / bins as f64;
                let whole =
                    scope.element_cycles.of(cause) as f64 / scope.element_cycles.total() as f64;
                // The drain of the last tiles, and what elements lag behind, belong to
                // no block.
                assert!(
                    (sum - whole).abs() < 0.01,
                    "{name} {cause:?}: {sum} {whole}"
                );
            }
            for bin in shares {
                let all: f64 = bin.iter().sum();
                assert!((0.9..1.1).contains(&all), "{name}: {all}");
            }
        }
    }
}

#[test]
fn a_machine_without_overlap_does_one_thing_at_a_time() {
    let header = setup::header(setup::minilm());
    let input = setup::uniform(&header, 40, Tier::Eight);
    for name in Machine::builtin_names() {
        let text = Machine::builtin_toml(name).unwrap();
        let text = text.replacen("[", "overlap = false\n\n[", 1);
        let serial = Machine::from_toml(&text).unwrap();
        let recording = serial.record(&header, &input).unwrap();
        let mut spans: Vec<(u64, u64)> = recording
            .timeline
            .spans
            .iter()
            .map(|span| (span.begin, span.end))
            .collect();
        spans.sort_unstable();
        assert!(
            spans.windows(2).all(|pair| pair[1].0 >= pair[0].1),
            "{name}"
        );
        let overlapped = run(name, &header, &input);
        let serial = serial.simulate(&header, &input).unwrap();
        assert!(
            serial.attention.cycles > overlapped.attention.cycles,
            "{name}"
        );
    }
}
