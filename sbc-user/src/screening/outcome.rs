use crate::closed_list::closed_list;

closed_list! {
    /// What became of a message: the one closed list that names every counter and line of
    /// documentation about the daemon's decisions. Each message has exactly one.
    pub enum Outcome {
        /// A request from outside was accepted and sent to the upstream.
        RequestRelayedInwards "request-relayed-inwards",
        /// A request of the upstream was sent to the outside.
        RequestRelayedOutwards "request-relayed-outwards",
        /// A response from outside was sent to the upstream.
        ResponseRelayedInwards "response-relayed-inwards",
        /// A response of the upstream was sent to the outside.
        ResponseRelayedOutwards "response-relayed-outwards",
        /// The upstream asked whether we are alive, and was answered.
        UpstreamOptionsAnswered "upstream-options-answered",
        /// Somebody outside who is proven, or has answered a challenge, asked whether we are alive, and was
        /// answered.
        OptionsAnswered "options-answered",

        /// A target answered our question whether it lives.
        ProbeAnswered "probe-answered",

        /// A request without credentials got a challenge.
        Challenged "challenged",
        /// A correct response to an expired challenge got a fresh one.
        StaleCredentials "stale-credentials",
        /// A wrong password or an unknown user got a challenge; nothing tells the two apart.
        WrongCredentials "wrong-credentials",
        /// Credentials from where too many have been wrong, or for a user for whom they have: 403, unread.
        TooManyFailures "too-many-failures",
        /// A response to a challenge that was not made to this source got a challenge.
        ForeignNonce "foreign-nonce",
        /// Credentials that were used before, for another request, got a challenge.
        ReplayedCredentials "replayed-credentials",
        /// Credentials that cannot be read, or that are for another Request-URI: 400.
        BadCredentials "bad-credentials",
        /// A proven user or peer claimed an identity that it may not claim: 403.
        IdentityNotAllowed "identity-not-allowed",
        /// A proven user or peer wants to be reached at a host that its policy does not list: 403.
        ContactNotAllowed "contact-not-allowed",
        /// A proven user or peer began something for whom it may not call: 403.
        DestinationNotAllowed "destination-not-allowed",
        /// A call without an Identity header of a peer that has to sign its calls: 428.
        IdentityMissing "identity-missing",
        /// A call whose number was not signed by somebody who may, of a peer that has to sign its calls: 403, 436,
        /// 437 or 438; at the level `debug` the log says why.
        IdentityInvalid "identity-invalid",
        /// A call of a peer that has to sign its calls, whose signature nobody looked at since too many in its name
        /// were bad of late: 503 with Retry-After.
        IdentityNotLookedAt "identity-not-looked-at",
        /// A request of who is not proven, for an upstream that tells by itself who its users are, beyond what may
        /// reach it from there, or from all: 503 with Retry-After.
        UnprovenBudgetSpent "unproven-budget-spent",
        /// The upstream accepted a request, or began to, without having asked who sent it, and that is not known to
        /// us: silence.
        UpstreamDidNotAsk "upstream-did-not-ask",
        /// A proof that no challenge can bring is missing: 403 over a connection, silence over UDP, where
        /// the source may be forged.
        ProofMissing "proof-missing",
        /// Max-Forwards has run out: 483.
        TooManyHops "too-many-hops",
        /// The request has come back as we forwarded it, to go the same way again: 482.
        LoopDetected "loop-detected",
        /// A Request-URI that is none of sip, sips, tel, urn, pres and im: 416.
        UnknownScheme "unknown-scheme",
        /// Proxy-Require asks for an unsupported extension: 420.
        BadExtension "bad-extension",
        /// No target of the upstream lives: 503 with Retry-After to whoever has shown that it receives at its
        /// address, and silence to others.
        UpstreamDown "upstream-down",
        /// A request that was relayed, and waited for a connection that could not be made: 500. It is counted
        /// as relayed too.
        Undeliverable "undeliverable",
        /// A request of the upstream to a peer that cannot be reached: 500.
        PeerUnreachable "peer-unreachable",
        /// A request of the upstream to a peer that requires IPsec, which does not guard it now: 500. It would have
        /// left in clear.
        PeerUnprotected "peer-unprotected",
        /// A request of the upstream that neither a token of ours nor a route of the configuration leads
        /// anywhere: 404.
        NoRoute "no-route",
        /// A request of the upstream with a Route to us whose token we did not make, or not for this: 403.
        ForgedRoute "forged-route",
        /// A request of the upstream with a Route to us whose token we made so long ago that its key is used
        /// no more: 480.
        StaleRoute "stale-route",
        /// A request of the upstream to a phone whose proof or peer is gone, so that its answers would be
        /// dropped, or whose place is another user's now: 480, or 430 (RFC 5626 §5.3.1).
        FlowExpired "flow-expired",
        /// A request of the upstream asks, as critical, for a kind of privacy that we cannot give: 500.
        PrivacyUnavailable "privacy-unavailable",
        /// The message would be too large once it is rewritten: 513.
        MessageTooLarge "message-too-large",
        /// A message of the upstream with more than a kilobyte of what must not be seen outside, in its Vias, its
        /// Record-Routes or one address: a request is answered 513.
        TooMuchToHide "too-much-to-hide",

        /// A proven source's request that begins something, while the daemon is behind: 503 with Retry-After.
        Overloaded "overloaded",
        /// A stranger's message, while the daemon is behind: silence.
        ShedStranger "shed-stranger",

        /// The ACK to one of our own answers.
        OwnAck "own-ack",
        /// An ACK or CANCEL from a source without proof; neither can be challenged.
        Unchallengeable "unchallengeable",
        /// The challenge would be larger than the request, and the source is unproven: silence, so that
        /// nobody can be flooded by us.
        WouldAmplify "would-amplify",
        /// Not a SIP message, or one that two readers could understand differently; nothing is said about it.
        Malformed "malformed",
        /// A request that cannot be read, over a connection, from the upstream, or over UDP from a source
        /// that has proved itself or is listed: 400, 413, 416, 505 or 513, with a Warning that says why.
        MalformedAnswered "malformed-answered",
        /// A response to a request that we did not forward.
        ResponseNotOurs "response-not-ours",
        /// Somebody other than the upstream wrote to the inside socket.
        NotFromUpstream "not-from-upstream",
        /// The connection that a message should go out on has ended; the upstream's request is answered
        /// 480, or 430 (RFC 5626 §5.3.1).
        ConnectionGone "connection-gone",
        /// The socket or the connection's queue took no more.
        SendFailed "send-failed",
    }
}
