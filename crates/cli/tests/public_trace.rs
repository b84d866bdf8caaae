//! `dtatrans simulate --spatten-trace`: traces of SpAtten's public release.

mod support;

use serde_json::Value;
use support::{failure, run, stdout};

const TRACE: &str = "iteration_id,layer_id,head_id,embedding_length_D,sentence_length_L,\
    key_fetch_num,quant_key_bit,quant_query_bit,auto_requant_thres,if_requant,\
    auto_requant_incre,value_fetch_num,quant_value_bit,if_accumulate_importance,\
    if_rescale_previous_importance,if_topk,topk\n\
    0,0,0,64.0,993,993,6,16,0.05,True,4,204,6,True,False,False,-1\n\
    0,0,1,64.0,993,993,6,16,0.05,False,4,204,6,True,False,False,-1\n\
    by hand.yml,,,,,,,,,,,,,,,,\n";

fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.csv");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[test]
fn a_public_trace_is_simulated_as_table_json_and_csv() {
    let (folder, file) = written(TRACE);
    let machines = ["--machine", "spatten", "--machine", "spatten-eighth"];
    let arguments = [&["simulate", "--spatten-trace", &file], &machines[..]].concat();
    let with = |more: &[&str]| stdout(&run(&[&arguments[..], more].concat()));

    let json: Value = serde_json::from_str(&with(&["--json"])).unwrap();
    assert_eq!(json["configuration"], "by hand.yml");
    assert_eq!(json["requests"], 2);
    let [full, eighth] = &json["machines"].as_array().unwrap()[..] else {
        panic!("two machines");
    };
    let cycles = |machine: &Value| machine["attention"]["cycles"].as_u64().unwrap();
    assert!(cycles(full) < cycles(eighth));
    for machine in [full, eighth] {
        let macs = &machine["attention"]["macs_executed"];
        assert_eq!(*macs, 2 * 64 * (993 + 204));
    }
    let table = folder.path().join("table.csv");
    let printed = with(&["--csv", table.to_str().unwrap()]);
    assert!(printed.contains(&cycles(full).to_string()), "{printed}");
    assert!(
        std::fs::read_to_string(table)
            .unwrap()
            .contains("spatten-eighth,attention")
    );
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let (_folder, file) = written(&TRACE.replacen("204", "many", 1));
    let simulate = |file: &str, machine: &str| {
        failure(&["simulate", "--spatten-trace", file, "--machine", machine])
    };
    let (code, error) = simulate(&file, "spatten");
    assert_eq!(code, 1);
    for part in [file.as_str(), "line 2", "value_fetch_num", "many"] {
        assert!(error.contains(part), "{error}");
    }
    let (_folder, file) = written(TRACE);
    let (code, error) = simulate(&file, "vssa-512");
    assert_eq!(code, 1);
    assert!(
        error.contains("vssa-512") && error.contains("spatten"),
        "{error}"
    );
}
