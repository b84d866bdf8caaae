//! Does a checkpoint's shape say what stands before and behind its layers?

mod support;

use dtatrans_model::{AnyCheckpoint, Checkpoint, DecoderCheckpoint};
use dtatrans_precision::{Ends, Reads};
use support::data;
use support::folder::Folder;
use support::tiny_llama;

#[test]
fn of_encoders_by_what_they_give() {
    let tiny = |reads, pooler, outputs| Ends {
        vocabulary: 200,
        tables: 3,
        reads,
        pooler,
        outputs,
    };
    let classifier = Checkpoint::open(&data("tiny-bert-classifier")).unwrap();
    let open = |folder: Folder| folder.open().unwrap();
    for (checkpoint, want) in [
        (
            open(Folder::sentence("pooling_mode_mean_tokens", true)),
            tiny(Reads::Mean, false, 0),
        ),
        (
            open(Folder::sentence("pooling_mode_cls_token", false)),
            tiny(Reads::First, false, 0),
        ),
        (classifier, tiny(Reads::First, true, 3)),
        (
            open(Folder::head("BertForTokenClassification")),
            tiny(Reads::Each, false, 5),
        ),
        (
            open(Folder::head("BertForQuestionAnswering")),
            tiny(Reads::Each, false, 2),
        ),
    ] {
        let ends = checkpoint.shape().ends.unwrap();
        assert_eq!(ends, want);
        assert_eq!(ends.check(), Ok(()));
    }
}

/// Whether the head shares the token table or not, it is read.
#[test]
fn of_decoders_by_their_positions() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_folder(folder.path());
    let gguf = folder.path().join("tiny.gguf");
    std::fs::write(&gguf, tiny_llama::gguf().bytes()).unwrap();
    for (path, tables) in [
        (data("tiny-gpt2"), 2),
        (folder.path().to_path_buf(), 1),
        (gguf, 1),
    ] {
        let AnyCheckpoint::Decoder(checkpoint) = AnyCheckpoint::open(&path).unwrap() else {
            panic!("{}: is a decoder", path.display());
        };
        let DecoderCheckpoint { name, config, .. } = &*checkpoint;
        let ends = config.shape(name).ends.unwrap();
        let vocabulary = config.vocab_size;
        let want = Ends {
            vocabulary,
            tables,
            reads: Reads::Last,
            pooler: false,
            outputs: vocabulary,
        };
        assert_eq!(ends, want);
        assert_eq!(ends.check(), Ok(()));
    }
}
