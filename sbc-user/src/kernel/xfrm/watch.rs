use std::time::Duration;

use super::message::XfrmError;
use super::socket::{Asking, Listening};
use super::{Association, Policy};

/// How much is looked at: more than any gateway has peers for.
const MOST_ASSOCIATIONS: usize = 16_384;
const MOST_POLICIES: usize = 4096;
/// How often a look is repeated because something changed while it was taken. The change is heard of too.
const LOOKS: usize = 3;

/// `XFRM_MSG_*`.
const NEW_ASSOCIATION: u16 = 0x10;
const GET_ASSOCIATION: u16 = 0x12;
const NEW_POLICY: u16 = 0x13;
const GET_POLICY: u16 = 0x15;

/// What IPsec of the network stack does with packets that arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XfrmState {
    /// The policies about packets that arrive here, in no order.
    pub policies: Vec<Policy>,
    /// The associations of ESP that have keys and may be for packets that arrive here.
    pub associations: Vec<Association>,
}

/// Watches IPsec in the network namespace of the thread that opens it, which is to be the one that looks.
pub struct XfrmWatch(Listening);

impl XfrmWatch {
    /// Begins to hear of changes. It takes `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self, XfrmError> {
        Listening::open().map(Self)
    }

    /// Looks at everything as it is now.
    ///
    /// Changes are not followed one by one: whatever was heard or missed, the next look tells how things
    /// are.
    pub fn look(&self) -> Result<XfrmState, XfrmError> {
        let mut state = XfrmState::default();
        for _ in 0..LOOKS {
            let has_changed;
            (state, has_changed) = take_look()?;
            if !has_changed {
                break;
            }
        }
        Ok(state)
    }

    /// Waits for a change, for as long as `longest`.
    pub fn wait(&self, longest: Duration) -> Result<(), XfrmError> {
        self.0.wait(longest)
    }
}

fn take_look() -> Result<(XfrmState, bool), XfrmError> {
    let mut asking = Asking::open()?;
    let mut state = XfrmState::default();
    let XfrmState { policies, associations } = &mut state;
    // Policies last: one that is looked at is younger than the associations that it asks for.
    let mut has_changed = asking.dump(GET_ASSOCIATION, |kind, body| {
        let found = if kind == NEW_ASSOCIATION { Association::read(body)? } else { None };
        keep(found, associations, MOST_ASSOCIATIONS, "associations")
    })?;
    has_changed |= asking.dump(GET_POLICY, |kind, body| {
        let found = if kind == NEW_POLICY { Policy::read(body)? } else { None };
        keep(found, policies, MOST_POLICIES, "policies")
    })?;
    Ok((state, has_changed))
}

fn keep<T>(
    found: Option<T>,
    kept: &mut Vec<T>,
    most: usize,
    what: &'static str,
) -> Result<(), XfrmError> {
    let Some(found) = found else { return Ok(()) };
    if kept.len() == most {
        return Err(XfrmError::TooMany(most, what));
    }
    kept.push(found);
    Ok(())
}
