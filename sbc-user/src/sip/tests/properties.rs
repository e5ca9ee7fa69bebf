use proptest::collection::vec;
use proptest::prelude::*;
use rsip::headers::UntypedHeader as _;

use super::sample::text;
use crate::sip::Message;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_the_identity_that_another_library_wrote(
        user in "[a-z0-9_.+-]{1,20}",
        host in "[a-z][a-z0-9-]{0,10}(\\.[a-z][a-z0-9]{1,8}){0,3}",
        name in "[ a-zA-Z0-9<>,;@:]{0,20}",
        tag in "[a-zA-Z0-9]{1,20}",
        call_id in "[a-zA-Z0-9-]{1,30}@[a-z0-9.]{1,20}",
        number in 0_u32..1 << 31,
        body in vec(any::<u8>().prop_map(|byte| byte & 0x7f), 0..50),
    ) {
        let from = format!("\"{name}\" <sip:{user}@{host}>;tag={tag}");
        let request = rsip::Request {
            method: rsip::Method::Message,
            uri: rsip::Uri::try_from("sip:bob@biloxi.example").unwrap(),
            version: rsip::Version::V2,
            headers: vec![
                rsip::headers::Via::new("SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKx").into(),
                rsip::headers::From::new(&from).into(),
                rsip::headers::To::new("<sip:bob@biloxi.example>").into(),
                rsip::headers::CallId::new(&call_id).into(),
                rsip::headers::CSeq::new(format!("{number} MESSAGE")).into(),
                rsip::headers::ContentLength::new(body.len().to_string()).into(),
            ]
            .into(),
            body: body.clone(),
        };
        let bytes: Vec<u8> = rsip::SipMessage::from(request).into();
        let message = Message::scan(&bytes).unwrap();
        prop_assert_eq!(text(message.from().raw), from);
        prop_assert_eq!(text(message.from().uri.user.unwrap()), user);
        prop_assert_eq!(text(message.from().uri.host), host);
        prop_assert_eq!(text(message.from().tag.unwrap()), tag);
        prop_assert_eq!(text(message.call_id()), call_id);
        prop_assert_eq!(message.cseq().number, number);
        prop_assert_eq!(message.cseq().method.as_bytes(), b"MESSAGE");
        prop_assert_eq!(message.body(), &body[..]);
    }
}
