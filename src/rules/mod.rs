//! Authorization rules: who may see what of a presentity, as a document (RFC 4745 and RFC 5025).
