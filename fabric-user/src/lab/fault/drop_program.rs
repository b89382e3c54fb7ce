//! XDP programs of two instructions: one drops whatever arrives, the other one passes it. The calls
//! of bpf(2), because a library wants an object file.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `enum bpf_cmd` of linux/bpf.h.
const PROG_LOAD: libc::c_long = 5;
const OBJ_PIN: libc::c_long = 6;
const OBJ_GET: libc::c_long = 7;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const LINK_CREATE: libc::c_long = 28;
const LINK_UPDATE: libc::c_long = 29;

/// `BPF_PROG_TYPE_XDP` and `BPF_XDP`; a link changes its program only for one with the same.
const TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// `XDP_FLAGS_DRV_MODE`: behind the allocation of a socket buffer, redirected frames would pass.
const DRIVER_MODE: u32 = 1 << 2;

/// `XDP_DROP` and `XDP_PASS` of linux/bpf.h, and what programs are called that return them.
const DROP: (u64, &[u8; 16]) = (1, b"lab_silence\0\0\0\0\0");
const PASS: (u64, &[u8; 16]) = (2, b"lab_placeholder\0");
/// `r0 = 0` and `exit`; the number to return is the high half of the first one.
const RETURN_0: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];

/// A loaded program.
#[derive(Debug)]
pub(super) struct Program(OwnedFd);

/// A program on an interface.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
struct PathAttributes {
    path: u64,
    fd: u32,
    flags: u32,
}

#[repr(C)]
struct InfoAttributes {
    fd: u32,
    length: u32,
    info: u64,
}

impl Program {
    /// Loads a program that drops everything.
    pub(super) fn drop_all() -> io::Result<Self> {
        Self::load(DROP)
    }

    /// Loads a program that passes everything.
    pub(super) fn pass_all() -> io::Result<Self> {
        Self::load(PASS)
    }

    fn load((verdict, name): (u64, &[u8; 16])) -> io::Result<Self> {
        let instructions = [RETURN_0[0] | verdict << 32, RETURN_0[1]];
        let license = c"Dual MIT/GPL";
        let attributes = LoadAttributes {
            kind: TYPE_XDP,
            instruction_count: instructions.len() as u32,
            instructions: instructions.as_ptr() as u64,
            license: license.as_ptr() as u64,
            name: *name,
            expected_attach_type: ATTACH_XDP,
            ..LoadAttributes::default()
        };
        // SAFETY: instructions and license live until after the call, with the length given.
        unsafe { bpf_fd(PROG_LOAD, &attributes) }.map(Self)
    }

    /// A pinned program.
    pub(super) fn pinned(path: &Path) -> io::Result<Self> {
        get(path).map(Self)
    }

    /// Pins the program.
    pub(super) fn pin(&self, path: &Path) -> io::Result<()> {
        pin(&self.0, path)
    }

    /// Whether this is a program that [`Self::drop_all`] loaded.
    pub(super) fn drops_all(&self) -> io::Result<bool> {
        // `struct bpf_prog_info`: the name is at byte 64.
        let info: [u8; 80] = info(&self.0)?;
        Ok(info.ends_with(DROP.1))
    }
}

impl Link {
    /// A pinned link.
    pub(super) fn pinned(path: &Path) -> io::Result<Self> {
        get(path).map(Self)
    }

    /// Runs a program on an interface of the current namespace.
    pub(super) fn attach(program: &Program, ifindex: u32) -> io::Result<Self> {
        let attributes = [program.0.as_raw_fd().cast_unsigned(), ifindex, ATTACH_XDP, DRIVER_MODE];
        // SAFETY: these attributes hold no pointers.
        unsafe { bpf_fd(LINK_CREATE, &attributes) }.map(Self)
    }

    /// Pins the link: the program stays when this process ends.
    pub(super) fn pin(&self, path: &Path) -> io::Result<()> {
        pin(&self.0, path)
    }

    /// The program that runs.
    pub(super) fn program(&self) -> io::Result<Program> {
        // `struct bpf_link_info`: type, id and the program's id.
        let [_, _, program]: [u32; 3] = info(&self.0)?;
        // SAFETY: these attributes hold no pointers.
        unsafe { bpf_fd(PROG_GET_FD_BY_ID, &[program, 0, 0]) }.map(Program)
    }

    /// Puts another program in the place of the one that runs. No packet meets neither.
    pub(super) fn replace_program(&self, program: &Program) -> io::Result<()> {
        let [link, program] = [&self.0, &program.0].map(|fd| fd.as_raw_fd().cast_unsigned());
        // SAFETY: these attributes hold no pointers.
        unsafe { bpf(LINK_UPDATE, &[link, program, 0, 0]) }.map(drop)
    }
}

fn get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = PathAttributes { path: path.as_ptr() as u64, fd: 0, flags: 0 };
    // SAFETY: the path lives until after the call and ends with a zero byte.
    unsafe { bpf_fd(OBJ_GET, &attributes) }
}

fn pin(fd: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let fd = fd.as_raw_fd().cast_unsigned();
    let attributes = PathAttributes { path: path.as_ptr() as u64, fd, flags: 0 };
    // SAFETY: the path lives until after the call and ends with a zero byte.
    unsafe { bpf(OBJ_PIN, &attributes) }.map(drop)
}

/// The first bytes of what the kernel tells about an object; `T` has to be plain data.
fn info<T: Copy>(fd: &OwnedFd) -> io::Result<T> {
    // SAFETY: callers ask for arrays of integers, for which all zero bytes are a value.
    let mut info: T = unsafe { std::mem::zeroed() };
    let attributes = InfoAttributes {
        fd: fd.as_raw_fd().cast_unsigned(),
        length: size_of::<T>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the kernel writes at most `length` bytes to `info`, which lives until after the call.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &attributes) }?;
    Ok(info)
}

/// # Safety
/// As [`bpf`]; the command has to return a new file descriptor.
unsafe fn bpf_fd<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: promised by the caller.
    let fd = unsafe { bpf(command, attributes) }?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// # Safety
/// `T` has to begin as the `union bpf_attr` of the command does, and what it points to has to be
/// valid until after the call.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of attributes; the rest is the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}
