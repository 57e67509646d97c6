"""Checks every kind of gRPC call against the server of grpc_server.py through the gateway.

Arguments: the target; for TLS also the file of the authority. Prints `all well` at the end.
"""

import sys
import threading

import grpc


def raised(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


if len(sys.argv) > 2:
    with open(sys.argv[2], "rb") as file:
        channel = grpc.secure_channel(sys.argv[1], grpc.ssl_channel_credentials(file.read()))
else:
    channel = grpc.insecure_channel(sys.argv[1])
wait = {"timeout": 15}

# Unary, with trailing metadata.
unary = channel.unary_unary("/test.Echo/Unary")
answer, call = unary.with_call(b"x" * 100_000, **wait)
assert answer == b"x" * 100_000
assert ("x-seen", "100000") in call.trailing_metadata(), call.trailing_metadata()

# Streams from the server, from the client, both at once.
assert list(channel.unary_stream("/test.Echo/ServerStream")(b"abc", **wait)) == [b"a", b"b", b"c"]
assert channel.stream_unary("/test.Echo/ClientStream")(iter([b"m"] * 50), **wait) == b"50"

turn = threading.Semaphore(1)
def one_at_a_time():
    for i in range(5):
        turn.acquire()
        yield str(i).encode()

seen = []
for message in channel.stream_stream("/test.Echo/BothStream")(one_at_a_time(), **wait):
    seen.append(message)  # the answer to one message arrives before the next is sent
    turn.release()
assert seen == [b"0", b"1", b"2", b"3", b"4"], seen

# An error without any message: the status is in the first and only header block (trailers-only).
error = raised(lambda: channel.unary_unary("/test.Echo/Fail")(b"", **wait))
assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and error.details() == "as asked", error
assert ("x-reason", "asked") in error.trailing_metadata()

# A deadline ends the call, and a cancelled call is cancelled at the server.
hang = channel.unary_unary("/test.Echo/Hang")
assert raised(lambda: hang(b"", timeout=0.3)).code() == grpc.StatusCode.DEADLINE_EXCEEDED
call = hang.future(b"", **wait)
call.cancel()
assert raised(call.result).code() == grpc.StatusCode.CANCELLED if not call.cancelled() else True

# The connection is still good.
assert unary(b"again", **wait) == b"again"
print("all well")
