use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// `linux/sockios.h` and `linux/ethtool.h`.
const SIOCETHTOOL: u64 = 0x8946;
const GET_DRIVER: u32 = 0x03;
const GET_STRINGS: u32 = 0x1b;
const GET_STRING_COUNT: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const GET_CHANNELS: u32 = 0x3c;
const FEATURE_NAMES: u32 = 4;
const NAME: usize = 32;
/// Bytes of `struct ethtool_drvinfo`, and where the driver's name stands in it.
const DRIVER: usize = 196;
const DRIVER_AT: usize = 4;
/// More features than any kernel has.
const MOST_FEATURES: usize = 256;

/// What the driver of an interface says. Everybody may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// The driver's name; `None` if there is none to ask.
    pub driver: Option<String>,
    /// Whether it joins segments of a stream before anybody sees them (LRO).
    pub joins_segments: bool,
    /// Whether it joins them as GRO does, which can be undone (GRO in hardware).
    pub groups_segments: bool,
    /// The queues for what it receives, and the most that there may be; `None` if it does not tell.
    pub queues: Option<[u32; 2]>,
}

impl Hardware {
    /// Asks the driver of an interface of this network namespace.
    #[must_use]
    pub fn of(interface: &str) -> Self {
        let Ok(asking) = Asking::new(interface) else { return Self::default() };
        let features = asking.features().unwrap_or_default();
        let is_on = |name: &str| features.iter().any(|feature| feature == name);
        Self {
            driver: asking.driver().ok(),
            joins_segments: is_on("rx-lro"),
            groups_segments: is_on("rx-gro-hw"),
            queues: asking.queues().ok(),
        }
    }
}

struct Asking {
    socket: OwnedFd,
    interface: CString,
}

impl Asking {
    fn new(interface: &str) -> io::Result<Self> {
        let interface = CString::new(interface)?;
        // SAFETY: a socket is created and owned here.
        let socket =
            unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `socket` is an open descriptor that nothing else owns.
        Ok(Self { socket: unsafe { OwnedFd::from_raw_fd(socket) }, interface })
    }

    /// Hands `words` to the driver, which answers in them. The command says how long they have to be.
    fn ask(&self, words: &mut [u32]) -> io::Result<()> {
        // SAFETY: all-zero is a valid `ifreq`.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        let name = self.interface.as_bytes().iter().take(libc::IFNAMSIZ - 1);
        for (to, from) in request.ifr_name.iter_mut().zip(name) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
        // SAFETY: `request` is an `ifreq` whose data are `words`, which outlive the call and are as long as their
        // command says: each caller below makes them so.
        let asked =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        if asked < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn driver(&self) -> io::Result<String> {
        let mut words = vec![0; DRIVER / 4];
        put(&mut words, 0, GET_DRIVER);
        self.ask(&mut words)?;
        Ok(text(&bytes(&words), DRIVER_AT))
    }

    /// `struct ethtool_channels`: the most of receive, transmit, others and combined, and then those that are.
    fn queues(&self) -> io::Result<[u32; 2]> {
        let mut words = vec![0; 9];
        put(&mut words, 0, GET_CHANNELS);
        self.ask(&mut words)?;
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        Ok([word(5).saturating_add(word(8)), word(1).max(word(4))])
    }

    /// The names of those that are on.
    fn features(&self) -> io::Result<Vec<String>> {
        // struct ethtool_sset_info: command, reserved, mask (64 bits), and a count.
        let mut words = vec![0; 5];
        put(&mut words, 0, GET_STRING_COUNT);
        put(&mut words, 2, 1 << FEATURE_NAMES);
        self.ask(&mut words)?;
        let count = words.get(4).map_or(0, |count| *count as usize);
        // The kernel writes all of them, however many we have room for.
        if count > MOST_FEATURES {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // struct ethtool_gstrings: command, set, count, names.
        let mut names = vec![0; 3 + count * NAME / 4];
        put(&mut names, 0, GET_STRINGS);
        put(&mut names, 1, FEATURE_NAMES);
        put(&mut names, 2, u32::try_from(count).unwrap_or(0));
        self.ask(&mut names)?;
        // struct ethtool_gfeatures: command, blocks, and four words each: available, requested, active, fixed.
        let blocks = count.div_ceil(32);
        let mut states = vec![0; 2 + blocks * 4];
        put(&mut states, 0, GET_FEATURES);
        put(&mut states, 1, u32::try_from(blocks).unwrap_or(0));
        self.ask(&mut states)?;
        let names = bytes(&names);
        let is_on = |feature: usize| {
            let active = states.get(2 + feature / 32 * 4 + 2).copied().unwrap_or(0);
            active >> (feature % 32) & 1 != 0
        };
        let on = (0..count).filter(|feature| is_on(*feature));
        Ok(on.map(|feature| text(&names, 12 + feature * NAME)).collect())
    }
}

fn put(words: &mut [u32], at: usize, word: u32) {
    if let Some(to) = words.get_mut(at) {
        *to = word;
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The text of at most 32 bytes that begins there and ends with a zero.
fn text(bytes: &[u8], at: usize) -> String {
    let field = bytes.get(at..).unwrap_or_default();
    let field = field.get(..NAME.min(field.len())).unwrap_or_default();
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_tells_which_features_are_on_and_one_that_is_not_there_tells_nothing() {
        let features = Asking::new("lo").unwrap().features().unwrap();
        assert!(features.contains(&"loopback".to_owned()), "{features:?}");
        assert!(!Hardware::of("lo").joins_segments);
        assert_eq!(Hardware::of("no-such"), Hardware::default());
    }
}
