"""Python's own mail clients against a listener: python3 mail_client.py imap|pop3|smtp PORT CA implicit|starttls TLS-VERSION PASSWORD"""

import imaplib
import poplib
import smtplib
import ssl
import sys

protocol, port, ca, mode, version, password = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
implicit = mode == "implicit"
place = ("localhost", int(port))

# 20 MiB once: the daemon under test is a debug build.
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * ((20 if implicit else 1) * 2**20 // 18)


def imap():
    with imaplib.IMAP4_SSL(*place, ssl_context=context) if implicit else imaplib.IMAP4(*place) as client:
        implicit or client.starttls(context)
        client.login("alice", password)
        assert client.append("INBOX", None, None, LARGE)[0] == "OK"
        client.select("INBOX")
        count = int(client.search(None, "ALL")[1][0].split()[-1])
        assert client.fetch(str(count), "(RFC822.SIZE)")[1][0].endswith(b"(RFC822.SIZE %d)" % len(LARGE))
        assert client.fetch(str(count), "(BODY[])")[1][0][1] == LARGE


def pop3():
    client = poplib.POP3_SSL(*place, context=context) if implicit else poplib.POP3(*place)
    implicit or client.stls(context)
    client.user("bob")
    client.pass_(password)
    names = client.uidl()[1]
    assert len(set(names)) == 1000, len(names)
    assert client.retr(1000)[1][0].startswith(b"Subject: ")
    client.quit()


def smtp():
    with smtplib.SMTP_SSL(*place, context=context) if implicit else smtplib.SMTP(*place) as client:
        implicit or client.starttls(context=context)
        client.login("alice", password)
        many = [f"user{n}@gov.example" for n in range(100)]
        assert client.sendmail("alice@gov.example", many, "Subject: many\r\n\r\nx\r\n") == {}
        eight = "Subject: 8bit\r\n\r\n\u90ae\u4ef6\r\n".encode()
        client.sendmail("alice@gov.example", "bob@gov.example", eight, ["BODY=8BITMIME", "RET=HDRS", "ENVID=e1"], ["NOTIFY=NEVER", "ORCPT=rfc822;bob@gov.example"])
        client.sendmail("\u90ae\u4ef6@gov.example", "\u7528\u6237@gov.example", eight, ["SMTPUTF8", "BODY=8BITMIME"])
        assert client.verify("bob")[0] == 252


{"imap": imap, "pop3": pop3, "smtp": smtp}[protocol]()
