use std::net::IpAddr;

use super::EspMode;
use super::message::{Fields, XfrmError};
use super::selector::{SELECTOR, Selector};

/// The length of `struct xfrm_usersa_info`.
const INFO: usize = 224;
const LIFETIMES: usize = 64 + 32 + 12;
const ESP: u8 = 50;

const XFRMA_ALG_AUTH: u16 = 1;
const XFRMA_ALG_CRYPT: u16 = 2;
const XFRMA_ALG_AEAD: u16 = 18;
const XFRMA_ALG_AUTH_TRUNC: u16 = 20;
const XFRMA_MARK: u16 = 21;
const XFRMA_IF_ID: u16 = 31;
const XFRMA_SA_DIR: u16 = 33;
const OUTWARDS: u8 = 2;

/// A security association of ESP with its keys, one that was not made for outbound packets as far as the
/// kernel tells. The keys themselves are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// Where the packets come from, as the network sees it.
    pub source: IpAddr,
    /// Where they go.
    pub destination: IpAddr,
    /// The number in front of them, host byte order.
    pub spi: u32,
    /// How they are wrapped.
    pub mode: EspMode,
    /// The number by which policies ask for it; zero for none.
    pub request: u32,
    /// What may come out of it; `None` for anything.
    pub selector: Option<Selector>,
    /// Only packets with a mark, or out of an interface of IPsec's own, are taken out of it.
    pub is_conditional: bool,
}

impl Association {
    /// Reads a `struct xfrm_usersa_info` and its attributes. `None` for what is not ESP, has no keys yet, or
    /// is for outbound packets.
    pub(super) fn read(body: &[u8]) -> Result<Option<Self>, XfrmError> {
        let cut = XfrmError::Unreadable("an association");
        let Some(info) = body.get(..INFO) else { return Err(cut) };
        let Some((raw, selector)) = Raw::read(info) else { return Err(cut) };
        let (mut has_keys, mut is_outwards, mut is_conditional) = (false, false, false);
        for attribute in Fields::attributes_behind(body, INFO).ok_or(cut)? {
            let (kind, value) = attribute?;
            match kind {
                XFRMA_ALG_AUTH | XFRMA_ALG_CRYPT | XFRMA_ALG_AEAD | XFRMA_ALG_AUTH_TRUNC => {
                    has_keys = true;
                }
                XFRMA_MARK | XFRMA_IF_ID => {
                    is_conditional |= value.iter().any(|byte| *byte != 0);
                }
                XFRMA_SA_DIR => is_outwards = value.first() == Some(&OUTWARDS),
                _ => {}
            }
        }
        if raw.protocol != ESP || !has_keys || is_outwards {
            return Ok(None);
        }
        let selector = Selector::read(selector, raw.family);
        let ends = raw.source.zip(raw.destination);
        // The kernel has ESP over nothing but IP.
        let Some((selector, (source, destination))) = selector.zip(ends) else {
            return Err(XfrmError::Unreadable("an association of neither IPv4 nor IPv6"));
        };
        // One of everything names a family or none, and is of both.
        let selector = Some(selector).filter(|selector| !selector.is_everything());
        Ok(Some(Self {
            source,
            destination,
            spi: raw.spi,
            mode: raw.mode,
            request: raw.request,
            selector,
            is_conditional,
        }))
    }
}

struct Raw {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    spi: u32,
    protocol: u8,
    request: u32,
    family: u16,
    mode: EspMode,
}

impl Raw {
    fn read(info: &[u8]) -> Option<(Self, &[u8])> {
        let (selector, rest) = info.split_at_checked(SELECTOR)?;
        let mut fields = Fields(rest);
        // struct xfrm_id
        let (destination, spi, protocol) = (fields.address()?, fields.be_u32()?, fields.u8()?);
        fields.skip(3)?;
        let source = fields.address()?;
        fields.skip(LIFETIMES)?;
        let _sequence = fields.u32()?;
        let request = fields.u32()?;
        let family = fields.u16()?;
        let mode = EspMode::of(fields.u8()?);
        let (source, destination) = (source.of(family), destination.of(family));
        Some((Self { source, destination, spi, protocol, request, family, mode }, selector))
    }
}
