//! Links between a program and an interface, by the system call (`union bpf_attr` of `linux/bpf.h`).
//!
//! aya knows no interface of a link, and where the kernel refuses to make one it attaches the program
//! without: then nobody could tell whose it is.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use super::running::Mode;

const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;
const LINK_DETACH: libc::c_int = 34;
/// `BPF_XDP` of `enum bpf_attach_type`.
const XDP: u32 = 37;
/// `BPF_LINK_TYPE_XDP`
const TYPE_XDP: u32 = 6;
/// `XDP_FLAGS_SKB_MODE` and `XDP_FLAGS_DRV_MODE` of `linux/if_link.h`.
const GENERIC: u32 = 1 << 1;
const NATIVE: u32 = 1 << 2;

/// A link. The program runs as long as something holds it, this value or a pin.
#[derive(Debug)]
pub struct XdpLink(OwnedFd);

/// What the kernel says of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Number of the program.
    pub program: u32,
    /// The interface that it is on, in whatever network namespace that is; 0 if the interface is gone.
    pub ifindex: u32,
}

#[repr(C)]
struct Four([u32; 4]);

#[repr(C)]
struct Pin {
    path: u64,
    fd: u32,
    flags: u32,
}

#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    address: u64,
}

impl XdpLink {
    /// Runs a program on an interface of this network namespace.
    ///
    /// # Errors
    /// What the kernel says: `EINVAL` also if there is no such interface, `EBUSY` and `EEXIST` if another
    /// program is there.
    pub fn create(program: impl AsFd, ifindex: u32, mode: Mode) -> io::Result<Self> {
        let flags = match mode {
            Mode::Native => NATIVE,
            Mode::Generic => GENERIC,
        };
        let program = raw(&program);
        let link = bpf(LINK_CREATE, &mut Four([program, ifindex, XDP, flags]))?;
        Ok(Self(owned(link)))
    }

    /// The link that is pinned at a path.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_pin(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let link = bpf(OBJ_GET, &mut Pin { path: path.as_ptr() as u64, fd: 0, flags: 0 })?;
        Ok(Self(owned(link)))
    }

    /// Pins it.
    ///
    /// # Errors
    /// If the path cannot be made, or something is there.
    pub fn pin(&self, path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        bpf(OBJ_PIN, &mut Pin { path: path.as_ptr() as u64, fd: raw(&self.0), flags: 0 }).map(drop)
    }

    /// Puts another program in the present one's place, between two packets.
    ///
    /// # Errors
    /// `ENOLINK` if the interface is gone.
    pub fn update(&self, program: impl AsFd) -> io::Result<()> {
        bpf(LINK_UPDATE, &mut Four([raw(&self.0), raw(&program), 0, 0])).map(drop)
    }

    /// Takes the program off its interface, wherever that is, before this returns.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn detach(&self) -> io::Result<()> {
        bpf(LINK_DETACH, &mut raw(&self.0)).map(drop)
    }

    /// Which program it runs, and where.
    ///
    /// # Errors
    /// If it is no link of an XDP program.
    pub fn info(&self) -> io::Result<LinkInfo> {
        // `struct bpf_link_info`: type, id, program; after a gap what belongs to the type.
        let mut info = [0_u64; 16];
        let length = size_of_val(&info) as u32;
        let address = info.as_mut_ptr() as u64;
        bpf(OBJ_GET_INFO_BY_FD, &mut Info { fd: raw(&self.0), length, address })?;
        let word = |at: usize| {
            let bytes = info[at / 2].to_ne_bytes();
            let half = at % 2 * 4;
            u32::from_ne_bytes([bytes[half], bytes[half + 1], bytes[half + 2], bytes[half + 3]])
        };
        if word(0) != TYPE_XDP {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(LinkInfo { program: word(2), ifindex: word(4) })
    }
}

fn raw(fd: &impl AsFd) -> u32 {
    // A descriptor is never negative.
    fd.as_fd().as_raw_fd().cast_unsigned()
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel has just given it to this caller alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    let length = size_of::<T>() as libc::c_uint;
    // SAFETY: the kernel reads and writes `length` bytes of the attributes, and what they point to
    // lives longer than the call. Each command is called with attributes of its own layout, whose rest
    // counts as zero.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), length) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
}
