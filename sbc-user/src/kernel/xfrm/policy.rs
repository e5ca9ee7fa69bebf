use std::net::IpAddr;

use super::EspMode;
use super::message::{Fields, XfrmError};
use super::selector::{SELECTOR, Selector};

/// The length of `struct xfrm_userpolicy_info`.
const INFO: usize = 168;
const LIFETIMES: usize = 64 + 32;
/// The length of `struct xfrm_user_tmpl`.
const TEMPLATE: usize = 64;
/// `XFRM_MAX_DEPTH`.
const MOST_TEMPLATES: usize = 6;
const ESP: u8 = 50;
const INWARDS: u8 = 0;

const XFRMA_TMPL: u16 = 5;
const XFRMA_SEC_CTX: u16 = 8;
const XFRMA_POLICY_TYPE: u16 = 16;
const XFRMA_MARK: u16 = 21;
const XFRMA_IF_ID: u16 = 31;

/// What the network stack asks of packets that arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Of which.
    pub selector: Selector,
    /// Among several, the lowest is asked.
    pub priority: u32,
    /// What becomes of them.
    pub action: PolicyAction,
    /// What they have to have come out of, if they are to pass.
    pub templates: Vec<Template>,
    /// It is about packets with a mark, or with a label of a security module.
    pub is_conditional: bool,
    /// It is asked apart from others: about what comes out of an interface of IPsec's own, or as a
    /// sub-policy.
    pub is_apart: bool,
}

/// What a policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// What has come out of its templates passes.
    Allow,
    /// Nothing passes.
    Block,
}

/// What a packet has to have come out of (`struct xfrm_user_tmpl`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Whether it is ESP.
    pub is_esp: bool,
    /// Its association's number; zero for any.
    pub spi: u32,
    /// Its other end, which counts in a tunnel; `None` for any.
    pub source: Option<IpAddr>,
    /// The number of its associations; zero for any.
    pub request: u32,
    /// How it is wrapped.
    pub mode: EspMode,
    /// It may as well not have come out of it.
    pub is_optional: bool,
}

impl Policy {
    /// Reads a `struct xfrm_userpolicy_info` and its attributes. `None` for what is not about packets that
    /// arrive here.
    pub(super) fn read(body: &[u8]) -> Result<Option<Self>, XfrmError> {
        let cut = || XfrmError::Unreadable("a policy");
        let info = body.get(..INFO).ok_or_else(cut)?;
        let (selector, rest) = info.split_at_checked(SELECTOR).ok_or_else(cut)?;
        let (priority, direction, action) = basics(rest).ok_or_else(cut)?;
        if direction != INWARDS {
            return Ok(None);
        }
        let selector = Selector::read(selector, 0);
        let selector = selector.ok_or(XfrmError::Unreadable("a policy of no address family"))?;
        let action = if action == 0 { PolicyAction::Allow } else { PolicyAction::Block };
        let mut policy = Self {
            selector,
            priority,
            action,
            templates: Vec::new(),
            is_conditional: false,
            is_apart: false,
        };
        for attribute in Fields::attributes_behind(body, INFO).ok_or_else(cut)? {
            let (kind, value) = attribute?;
            let is_set = value.iter().any(|byte| *byte != 0);
            match kind {
                XFRMA_TMPL => policy.templates = templates(value).ok_or_else(cut)?,
                // A mask of zero is of any mark, whatever the value.
                XFRMA_MARK | XFRMA_SEC_CTX => policy.is_conditional |= is_set,
                // struct xfrm_userpolicy_type: the type is the first byte.
                XFRMA_POLICY_TYPE => policy.is_apart |= value.first() != Some(&0),
                XFRMA_IF_ID => policy.is_apart |= is_set,
                _ => {}
            }
        }
        Ok(Some(policy))
    }
}

fn basics(rest: &[u8]) -> Option<(u32, u8, u8)> {
    let mut fields = Fields(rest);
    fields.skip(LIFETIMES)?;
    let (priority, _index) = (fields.u32()?, fields.u32()?);
    Some((priority, fields.u8()?, fields.u8()?))
}

fn templates(value: &[u8]) -> Option<Vec<Template>> {
    let (templates, rest) = value.as_chunks::<TEMPLATE>();
    if !rest.is_empty() || templates.len() > MOST_TEMPLATES {
        return None;
    }
    templates.iter().map(|bytes| Template::read(bytes)).collect()
}

impl Template {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let _destination = fields.address()?;
        let (spi, protocol) = (fields.be_u32()?, fields.u8()?);
        fields.skip(3)?;
        let family = fields.u16()?;
        fields.skip(2)?;
        let source = fields.address()?.of(family);
        let request = fields.u32()?;
        let mode = EspMode::of(fields.u8()?);
        let _share = fields.u8()?;
        let is_optional = fields.u8()? != 0;
        let source = source.filter(|source| !source.is_unspecified());
        Some(Self { is_esp: protocol == ESP, spi, source, request, mode, is_optional })
    }
}
