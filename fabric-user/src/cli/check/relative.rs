//! The path from one folder to a file in another.

use std::path::{Component, Path, PathBuf};

/// The way from a folder to a file, both absolute and without `..`, so that it stays right where both are moved or copied
/// together.
pub(super) fn relative(folder: &Path, file: &Path) -> PathBuf {
    let (mut from, mut to) = (folder.components().peekable(), file.components().peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    from.map(|_| Component::ParentDir).chain(to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_file_goes_up_as_far_as_it_has_to() {
        let way = |folder: &str, file: &str| relative(Path::new(folder), Path::new(file));
        for (folder, file, expected) in [
            ("/a/b", "/a/b/x.dot", "x.dot"),
            ("/a/b", "/a/b/c/x.dot", "c/x.dot"),
            ("/a/b/c", "/a/d/x.dot", "../../d/x.dot"),
            ("/", "/x.dot", "x.dot"),
            ("/a", "/ab/x.dot", "../ab/x.dot"),
        ] {
            assert_eq!(way(folder, file), Path::new(expected), "{folder} {file}");
        }
    }
}
