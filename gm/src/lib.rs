//! Tongsuo: TLCP and TLS, and the accelerated GM primitives.
