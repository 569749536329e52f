//! Event packages in general: subscriptions (RFC 6665) and publications (RFC 3903).

// A state that is added must be thought of everywhere.
#![deny(clippy::wildcard_enum_match_arm)]

mod account;
mod authorization;
mod body;
mod company;
mod conditional;
mod config;
mod credentials;
mod dialog;
mod direct;
mod document;
mod fingerprints;
mod identity;
mod inspect;
mod lifecycle;
mod membership;
mod narrowing;
mod notify;
mod open_requests;
mod opening;
mod output;
mod pace;
mod package;
mod partial;
mod patience;
mod personal;
mod protection;
mod publish;
mod publisher;
mod refusal;
mod remembered;
mod resource;
mod review;
mod server;
mod subscribe;
mod subscriber;
mod subscription;
mod terms;
mod trace;
mod tunnel;
mod waiting;

pub use account::{Account, InvalidAccount};
pub use authorization::{
    Authorization, Decision, PublishDecision, PublishKind, PublishQuery, Reason, Rejection,
    Signature, SubscribeQuery, Termination, View,
};
pub use body::{BodyQuery, BodyReading, BodyRefusal, NoBodies, SubscribeBodies, Verdict};
pub use config::{Limits, ReplacePublications, ServerConfig};
pub use credentials::NeedCredentials;
pub(crate) use direct::Ahead;
pub use direct::{
    Delivery, DirectName, DirectNotification, DirectOperation, DirectOutcome, DirectRequest,
    DirectState, RefusedDirect,
};
pub use identity::{Assurance, Identity, InvalidIdentity, RequestContext};
pub use inspect::{Occupancy, PublicationInfo, SubscriptionInfo};
pub use narrowing::{BadFilter, Filter, FilterQuery, Narrowing};
pub use opening::{Opening, OpeningKey, OpeningOutcome};
pub use output::{
    Backlog, EndReason, Failure, Forward, Forwarded, Job, JobKey, JobOutcome, Output,
    PublicationKey, ServerEvent, Subject, SubscriptionKey, UnknownSubscription, Verification,
    VerificationKey,
};
pub use package::{
    Documents, Forks, Package, Profile, PublishedBody, RenderRequest, Unreadable, Unserved,
    Visibility,
};
pub use partial::Numbered;
pub use personal::{Personal, PersonalRequest};
pub use protection::{
    ProtectError, Protection, ProtectionJob, ProtectionKey, ProtectionKind, ProtectionQuery,
};
pub use publisher::{
    EventPublicationAgent, OwnPublicationInfo, OwnPublicationKey, PartialFormat, PublishError,
    PublishFailure, PublishOrder, PublisherConfig, PublisherEvent, PublisherOutput,
};
pub use refusal::{Counters, RefusalReason};
pub use server::Server;
pub(crate) use subscriber::is_entity_tag;
pub use subscriber::{
    NotifiedBody, NotifiedState, NotifierKey, OwnSubscriptionInfo, OwnSubscriptionKey,
    OwnSubscriptionPhase, RefusedBody, Resolve, SrvRecord, SubscribeError, SubscribeFailure,
    SubscribeOrder, Subscriber, SubscriberConfig, SubscriberEvent, SubscriberOutput,
    SubscriptionEnd,
};
pub use subscription::NotifyResult;
