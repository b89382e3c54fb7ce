//! Links between a program and an interface, by the system call (`union bpf_attr` of `linux/bpf.h`).
//!
//! aya knows no interface of a link, and where the kernel refuses to make one it attaches the program
//! without: then nobody could tell whose it is.

use std::{
    ffi::{CStr, CString, c_int},
    io,
    marker::PhantomData,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use super::{
    bpf_call::{Command, Maker, call, make},
    running::Mode,
};

const OBJ_PIN: c_int = 6;
const OBJ_GET: c_int = 7;
const OBJ_GET_INFO_BY_FD: c_int = 15;
const LINK_CREATE: c_int = 28;
const LINK_UPDATE: c_int = 29;
const LINK_DETACH: c_int = 34;
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

/// Descriptor of the program, interface index, place and flags; or descriptors of the link and the program.
#[repr(C)]
struct Link<const COMMAND: c_int>([u32; 4]);

/// Descriptor of the link.
#[repr(C)]
struct Detach(u32);

#[repr(C)]
struct Pin<'a, const COMMAND: c_int> {
    path: u64,
    fd: u32,
    flags: u32,
    lives: PhantomData<&'a CStr>,
}

/// `struct bpf_link_info`: type, number of the link, of the program; after a gap what belongs to the type.
type LinkInfoWords = [u64; 16];

#[repr(C)]
struct Info<'a> {
    fd: u32,
    length: u32,
    address: u64,
    lives: PhantomData<&'a mut LinkInfoWords>,
}

impl<'a, const COMMAND: c_int> Pin<'a, COMMAND> {
    fn new(path: &'a CStr, fd: u32) -> Self {
        Self { path: path.as_ptr() as u64, fd, flags: 0, lives: PhantomData }
    }
}

impl<'a> Info<'a> {
    fn new(fd: u32, info: &'a mut LinkInfoWords) -> Self {
        let (length, address) = (size_of_val(info) as u32, info.as_mut_ptr() as u64);
        Self { fd, length, address, lives: PhantomData }
    }
}

// SAFETY: the attributes of BPF_LINK_CREATE, without addresses.
unsafe impl Command for Link<LINK_CREATE> {
    const NUMBER: c_int = LINK_CREATE;
}
// SAFETY: it returns the link's descriptor.
unsafe impl Maker for Link<LINK_CREATE> {}
// SAFETY: the attributes of BPF_LINK_UPDATE, without addresses.
unsafe impl Command for Link<LINK_UPDATE> {
    const NUMBER: c_int = LINK_UPDATE;
}
// SAFETY: the attributes of BPF_LINK_DETACH, without addresses.
unsafe impl Command for Detach {
    const NUMBER: c_int = LINK_DETACH;
}
// SAFETY: the attributes of BPF_OBJ_PIN; the path ends with a zero and outlives the value.
unsafe impl Command for Pin<'_, OBJ_PIN> {
    const NUMBER: c_int = OBJ_PIN;
}
// SAFETY: the attributes of BPF_OBJ_GET; the path ends with a zero and outlives the value.
unsafe impl Command for Pin<'_, OBJ_GET> {
    const NUMBER: c_int = OBJ_GET;
}
// SAFETY: it returns the object's descriptor.
unsafe impl Maker for Pin<'_, OBJ_GET> {}
// SAFETY: the attributes of BPF_OBJ_GET_INFO_BY_FD; the room has the length given and is borrowed.
unsafe impl Command for Info<'_> {
    const NUMBER: c_int = OBJ_GET_INFO_BY_FD;
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
        make(&mut Link::<LINK_CREATE>([raw(&program), ifindex, XDP, flags])).map(Self)
    }

    /// The link that is pinned at a path.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_pin(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        make(&mut Pin::<OBJ_GET>::new(&path, 0)).map(Self)
    }

    /// Pins it.
    ///
    /// # Errors
    /// If the path cannot be made, or something is there.
    pub fn pin(&self, path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        call(&mut Pin::<OBJ_PIN>::new(&path, raw(&self.0))).map(drop)
    }

    /// Puts another program in the present one's place, between two packets.
    ///
    /// # Errors
    /// `ENOLINK` if the interface is gone.
    pub fn update(&self, program: impl AsFd) -> io::Result<()> {
        call(&mut Link::<LINK_UPDATE>([raw(&self.0), raw(&program), 0, 0])).map(drop)
    }

    /// Takes the program off its interface, wherever that is, before this returns.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn detach(&self) -> io::Result<()> {
        call(&mut Detach(raw(&self.0))).map(drop)
    }

    /// Which program it runs, and where.
    ///
    /// # Errors
    /// If it is no link of an XDP program.
    pub fn info(&self) -> io::Result<LinkInfo> {
        let mut info = LinkInfoWords::default();
        call(&mut Info::new(raw(&self.0), &mut info))?;
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
