//! Whether a file lies on another machine's disk: there a database must not share memory between programs, because two
//! machines have none in common.

use std::path::{Path, PathBuf};

/// File systems that other machines serve, and those that some program serves, of which nothing is known.
const NETWORK: [&str; 16] = [
    "nfs", "cifs", "smb", "fuse", "afs", "ceph", "gluster", "lustre", "beegfs", "gpfs", "davfs", "coda", "ncpfs",
    "ocfs2", "gfs2", "pvfs2",
];

/// The kind of network file system that a path lies on; `None` for a disk of this machine, or where the system does not say.
pub fn network_drive(path: &Path) -> Option<String> {
    if cfg!(windows) {
        let text = path.to_string_lossy();
        let share =
            text.strip_prefix(r"\\").is_some_and(|t| !t.starts_with(['?', '.'])) || text.starts_with(r"\\?\UNC\");
        return share.then(|| "a Windows share".to_owned());
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    // The nearest part of the path that is there.
    let real = std::path::absolute(path).ok()?.ancestors().find_map(|p| p.canonicalize().ok())?;
    network_kind(&mounts, &real)
}

/// The kind of network file system of a path by a table of mounts.
fn network_kind(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let at = PathBuf::from(unescaped(at));
        let depth = at.components().count();
        // Of two at one place the later one covers the earlier.
        if path.starts_with(&at) && best.is_none_or(|(d, _)| depth >= d) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind).filter(|kind| NETWORK.iter().any(|n| kind.starts_with(n))).map(str::to_owned)
}

/// The table writes blanks as `\040`.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4).and_then(|d| u8::from_str_radix(d, 8).ok());
        match digits {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_says_what_a_path_lies_on() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb1 /home/ab/disk ext4 rw 0 0\n\
                      //nas/lab /mnt/the\\040lab cifs rw 0 0\nsshfs /mnt/far fuse.sshfs rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        let kind = |p: &str| network_kind(mounts, Path::new(p));
        assert_eq!(kind("/home/ab/.local/share/a.session").as_deref(), Some("nfs4"));
        assert_eq!(kind("/mnt/the lab/a.session").as_deref(), Some("cifs"));
        assert_eq!(kind("/mnt/far/a").as_deref(), Some("fuse.sshfs"));
        assert_eq!([kind("/home/ab/disk/a"), kind("/homes/a"), kind("/tmp/a"), kind("/a")], [const { None }; 4]);
        // What is mounted over it later is what is seen.
        let over = format!("{mounts}/dev/sdc1 /home ext4 rw 0 0\n");
        assert_eq!(network_kind(&over, Path::new("/home/ab")), None);
        assert_eq!(network_kind("", Path::new("/a")), None);
    }
}
