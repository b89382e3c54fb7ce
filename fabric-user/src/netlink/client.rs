//! Questions and their answers.

use std::{io, time::Duration};

use super::{
    message::{End, Message, Messages, NLM_F_DUMP_INTR, NLMSG_NOOP, Refusal},
    request::Request,
    socket::{Family, Received, Socket},
};

/// The kernel never sends more than 32 KiB at once.
const BUFFER: usize = 64 << 10;
/// The kernel answers inside the calls that ask and read, so who waits waits for an answer that was lost: in
/// the daemon's main loop too, whose heart goes on beating after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A system call failed.
    #[error("cannot {what} a netlink socket: {error}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The kernel refuses.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer, or a message in it, is cut off.
    #[error("the kernel's answer is cut off, or a part of it is longer than {BUFFER} bytes")]
    CutOff,
    /// A part of the answer was dropped.
    #[error("the kernel had no room to queue its answer; try again")]
    Lost,
    /// There is no answer.
    #[error("the kernel does not answer within {} s; try again", .0.as_secs())]
    Silent(Duration),
}

impl NetlinkError {
    pub(crate) fn socket<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Socket { what, error: error.into() }
    }

    /// `errno`, if the kernel refuses.
    #[must_use]
    pub const fn refused(&self) -> Option<i32> {
        match self {
            Self::Refused(Refusal { code, .. }) => Some(*code),
            _ => None,
        }
    }
}

/// Keeps the error number or kind, by which callers tell apart what went wrong.
impl From<NetlinkError> for io::Error {
    fn from(error: NetlinkError) -> Self {
        match error {
            NetlinkError::Socket { error, .. } => error,
            NetlinkError::Refused(refusal) => Self::from_raw_os_error(refusal.code),
            // What the socket said.
            NetlinkError::Lost => Self::from_raw_os_error(libc::ENOBUFS),
            // Of the kind of ETIMEDOUT, whose text speaks of a connection.
            NetlinkError::Silent(_) => Self::new(io::ErrorKind::TimedOut, error),
            NetlinkError::CutOff => Self::other(error),
        }
    }
}

/// Asks the kernel, one question at a time, about the network namespace in which it was opened, also after
/// the thread has left it.
///
/// The kernel works on an answer inside the system calls, so they block: for microseconds where one object
/// is meant, for seconds where there are hundreds of thousands.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    /// Number of the last question.
    sequence: u32,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Client {
    /// Opens a socket.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(family: Family) -> Result<Self, NetlinkError> {
        Socket::open(family).map(Self::of).map_err(NetlinkError::socket("open"))
    }

    /// As [`Self::open`]; none if the kernel was built without the family.
    ///
    /// # Errors
    /// If there is no socket for another reason.
    pub fn open_if_known(family: Family) -> Result<Option<Self>, NetlinkError> {
        let socket = Socket::open_if_known(family).map_err(NetlinkError::socket("open"))?;
        Ok(socket.map(Self::of))
    }

    fn of(socket: Socket) -> Self {
        socket.explain_errors();
        Self { socket, sequence: 0, buffer: vec![0; BUFFER], patience: PATIENCE }
    }

    /// Sends a request and reads its answer to the end: every message of it but the end goes to `take`.
    ///
    /// Returns whether the answer is consistent: false if what was listed changed meanwhile.
    ///
    /// # Errors
    /// If the kernel refuses, or no whole answer arrives. What `take` got is then a part of it.
    pub fn ask(
        &mut self,
        request: Request,
        mut take: impl FnMut(&Message<'_>),
    ) -> Result<bool, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.socket
            .send(&request.acknowledged().numbered(self.sequence))
            .map_err(NetlinkError::socket("write to"))?;
        let answer = self.read(&mut take);
        if matches!(answer, Err(NetlinkError::CutOff | NetlinkError::Lost)) {
            self.drop_rest();
        }
        answer
    }

    /// As [`Self::ask`], for one object, of which all that follows `nlmsghdr` is returned; none if the
    /// answer is of another type.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_one(
        &mut self,
        request: Request,
        kind: u16,
    ) -> Result<Option<Vec<u8>>, NetlinkError> {
        let mut found = None;
        self.ask(request, |message| {
            if message.kind == kind && found.is_none() {
                found = Some(message.body.to_vec());
            }
        })?;
        Ok(found)
    }

    fn read(&mut self, take: &mut dyn FnMut(&Message<'_>)) -> Result<bool, NetlinkError> {
        let mut answer = Answer { sequence: self.sequence, consistent: true };
        loop {
            let received = self
                .socket
                .receive(&mut self.buffer, self.patience)
                .map_err(NetlinkError::socket("read"))?;
            match received {
                Received::Datagram(messages) => {
                    if answer.take(messages, take)? {
                        return Ok(answer.consistent);
                    }
                }
                Received::TooLong => return Err(NetlinkError::CutOff),
                Received::Lost => return Err(NetlinkError::Lost),
                Received::Nothing => return Err(NetlinkError::Silent(self.patience)),
            }
        }
    }

    /// Reads what is left of an answer that is given up: until then the kernel refuses to list anything
    /// else.
    fn drop_rest(&mut self) {
        while let Ok(Received::Datagram(_) | Received::TooLong | Received::Lost) =
            self.socket.receive(&mut self.buffer, Duration::ZERO)
        {}
    }
}

/// An answer that is being read.
struct Answer {
    sequence: u32,
    consistent: bool,
}

impl Answer {
    /// Takes in a part; true if it was the last one.
    fn take(
        &mut self,
        mut messages: Messages<'_>,
        take: &mut dyn FnMut(&Message<'_>),
    ) -> Result<bool, NetlinkError> {
        for message in messages.by_ref() {
            // The rest of an answer that was given up.
            if message.sequence != self.sequence {
                continue;
            }
            self.consistent &= message.flags & NLM_F_DUMP_INTR == 0;
            match message.end() {
                Some(End::Done) => return Ok(true),
                Some(End::Refused(refusal)) => return Err(NetlinkError::Refused(refusal)),
                Some(End::CutOff) => return Err(NetlinkError::CutOff),
                None if message.kind == NLMSG_NOOP => {}
                None => take(&message),
            }
        }
        if messages.is_cut_off() { Err(NetlinkError::CutOff) } else { Ok(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        netlink::{NLMSG_DONE, NLMSG_ERROR, rtnetlink},
        observe::tests::live::{in_namespace, sh},
    };

    fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Request::new(kind, 0, body).numbered(sequence);
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes
    }

    /// Whether the answer to question 7 has ended, is consistent, and of which types its messages were.
    fn read(datagrams: &[Vec<u8>]) -> (Result<bool, NetlinkError>, bool, Vec<u16>) {
        let mut answer = Answer { sequence: 7, consistent: true };
        let (mut ended, mut kinds) = (Ok(false), Vec::new());
        for datagram in datagrams {
            ended = answer.take(Messages::of(datagram), &mut |it| kinds.push(it.kind));
        }
        (ended, answer.consistent, kinds)
    }

    #[test]
    fn an_answer_is_read_to_its_end_whatever_an_earlier_question_left() {
        let old = [message(16, 0, 6, &[0; 16]), message(NLMSG_DONE, 0, 6, &[0; 4])].concat();
        let part = [message(16, 0, 7, &[0; 16]), message(NLMSG_NOOP, 0, 7, &[])].concat();
        let end = [message(17, 0, 7, &[0; 16]), message(NLMSG_DONE, 0, 7, &[0; 4])].concat();
        let (ended, consistent, kinds) = read(&[old, part, end]);
        assert!(ended.unwrap() && consistent);
        assert_eq!(kinds, [16, 17]);
    }

    #[test]
    fn a_list_that_changed_meanwhile_is_not_consistent() {
        for datagram in [
            [message(16, NLM_F_DUMP_INTR, 7, &[]), message(NLMSG_DONE, 0, 7, &[0; 4])].concat(),
            message(NLMSG_DONE, NLM_F_DUMP_INTR, 7, &[0; 4]),
        ] {
            let (ended, consistent, _) = read(&[datagram]);
            assert!(ended.unwrap() && !consistent);
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error_and_not_the_end() {
        let whole = [message(16, 0, 7, &[0; 16]), message(NLMSG_ERROR, 0, 7, &[0; 4])].concat();
        assert!(read(std::slice::from_ref(&whole)).0.unwrap());
        for length in (1..whole.len()).filter(|length| *length != 32) {
            let (ended, ..) = read(&[whole[..length].to_vec()]);
            assert!(matches!(ended, Err(NetlinkError::CutOff)), "of {length} bytes: {ended:?}");
        }
        let (ended, ..) = read(&[message(NLMSG_ERROR, 0, 7, &[])]);
        assert!(matches!(ended, Err(NetlinkError::CutOff)));
    }

    fn links(client: &mut Client) -> Result<Vec<u32>, NetlinkError> {
        let mut found = Vec::new();
        client.ask(rtnetlink::all_links(), |message| {
            found.extend(rtnetlink::link_of(message).map(|link| link.ifindex));
        })?;
        Ok(found)
    }

    #[test]
    fn the_kernel_answers_lists_and_refuses_with_a_reason() {
        in_namespace(|| async {
            let mut client = Client::open(Family::Route).unwrap();
            assert_eq!(links(&mut client).unwrap(), [1]);
            let one = client.ask_one(rtnetlink::one_link(1), rtnetlink::RTM_NEWLINK).unwrap();
            assert!(one.is_some());
            let gone = client.ask_one(rtnetlink::one_link(77), rtnetlink::RTM_NEWLINK);
            assert_eq!(gone.unwrap_err().refused(), Some(libc::ENODEV));
            // A route by a next hop that there is none of.
            let body = [2, 32, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
            let route = Request::new(rtnetlink::RTM_NEWROUTE, crate::netlink::NLM_F_CREATE, &body)
                .attribute(1, &[192, 0, 2, 1])
                .attribute(30, &77_u32.to_ne_bytes());
            let error = client.ask(route, |_| {}).unwrap_err();
            let NetlinkError::Refused(refusal) = &error else { panic!("{error}") };
            assert_eq!(refusal.message.as_deref(), Some("Nexthop id does not exist"), "{error}");
        });
    }

    #[test]
    fn after_an_answer_that_is_too_long_or_lost_the_next_one_is_whole() {
        in_namespace(|| async {
            sh("for i in $(seq 200); do echo link add d$i type bridge; done | ip -batch -");
            let mut client = Client::open(Family::Route).unwrap();
            let whole = links(&mut client).unwrap();
            assert_eq!(whole.len(), 201);
            client.buffer = vec![0; 256];
            assert!(matches!(links(&mut client), Err(NetlinkError::CutOff)));
            client.buffer = vec![0; BUFFER];
            assert_eq!(links(&mut client).unwrap(), whole);
        });
    }

    #[test]
    fn want_of_room_for_an_answer_is_told_by_its_number() {
        let lost = io::Error::from(NetlinkError::Lost);
        assert_eq!(lost.raw_os_error(), Some(libc::ENOBUFS));
    }

    #[test]
    fn an_answer_that_was_lost_costs_less_than_a_beat_of_the_heart() {
        let beat = crate::settings::Settings::default().heartbeat_timeout() / 4;
        assert!(Client::open(Family::Route).unwrap().patience < beat);
    }

    #[test]
    fn who_gets_no_answer_does_not_wait_for_ever() {
        let mut client = Client::open(Family::Route).unwrap();
        client.patience = Duration::from_millis(1);
        let silent = client.read(&mut |_| {}).unwrap_err();
        assert!(matches!(silent, NetlinkError::Silent(_)));
        let told = io::Error::from(silent);
        assert_eq!(told.kind(), io::ErrorKind::TimedOut);
        assert!(told.to_string().contains("does not answer"), "{told}");
    }
}
