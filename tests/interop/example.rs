//! The examples of this crate as programs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of an example, built when it is not up to date, with the feature `smime` if these tests are.
pub(crate) fn built(name: &str) -> PathBuf {
    // This test is target/<profile>/deps/interop-<hash>.
    let deps = std::env::current_exe().unwrap();
    let profile = deps.parent().and_then(Path::parent).unwrap().to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--example", name]);
    if cfg!(feature = "smime") {
        build.args(["--features", "smime"]);
    }
    // What tells of this test would have dependencies built again that look at it.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let status = build.status().unwrap();
    assert!(status.success(), "the example {name} does not build");
    profile.join("examples").join(name)
}
