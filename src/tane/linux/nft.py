"""nftables inside this process, through libnftables: no fork, one atomic transaction per call."""

from __future__ import annotations

import ctypes
import functools

from tane.linux import netns
from tane.linux.rawnetlink import RawNetlink, attributes

_NETLINK_NETFILTER = 12
_NFT_MSG_GETGEN = (10 << 8) | 16
_NFTA_GEN_ID = 1


class NftError(Exception):
    """A transaction was refused as a whole; the message is libnftables' own."""


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise NftError(f"libnftables is not installed: {error}") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.nft_ctx_set_dry_run.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    return library


class Nft:
    """nftables of one network namespace, given by a descriptor of it that the caller keeps open.

    Not thread-safe. ``transactions`` counts the calls of :meth:`run`.
    """

    def __init__(self, namespace: int) -> None:
        self._namespace = namespace
        self._library = _library()
        self.transactions = 0
        with netns.entered(namespace):
            self._context = self._library.nft_ctx_new(0)
        self._netlink = RawNetlink(namespace, _NETLINK_NETFILTER)
        if not self._context:
            raise NftError("libnftables gave no context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> str:
        """Run commands in ``nft -f`` syntax, all or nothing, and return their output. Raises NftError."""
        self.transactions += 1
        return self._run(commands)

    def accepts(self, commands: str) -> bool:
        """Whether :meth:`run` would succeed; nothing is changed."""
        self._library.nft_ctx_set_dry_run(self._context, True)
        try:
            self._run(commands)
        except NftError:
            return False
        finally:
            self._library.nft_ctx_set_dry_run(self._context, False)
        return True

    def _run(self, commands: str) -> str:
        with netns.entered(self._namespace):
            result = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        # Both buffers are emptied by reading them.
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        errors: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if result != 0:
            raise NftError(errors.decode(errors="replace").strip() or "nftables refused the transaction")
        return output.decode(errors="replace")

    def generation(self) -> int:
        """The number the kernel raises with every change of this namespace's rules, whoever made it."""
        try:
            answer = self._netlink.get(_NFT_MSG_GETGEN, b"\0\0\0\0")
        except OSError as error:
            raise NftError(f"the kernel does not tell its rule generation: {error}") from error
        return int.from_bytes(attributes(answer[4:])[_NFTA_GEN_ID], "big")

    def close(self) -> None:
        """Free the library's context; the rules stay."""
        self._netlink.close()
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None
