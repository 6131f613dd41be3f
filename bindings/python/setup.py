"""Builds the extension over libqubus and puts the library beside it in the package."""
import pathlib
import shutil
import sys

from setuptools import setup
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cffi_build import LIBRARY_NAME, ffibuilder, include_directory, library_file  # noqa: E402


class BuildWithLibrary(build_ext):
    """Copies libqubus next to the extension, which finds it by its RPATH of $ORIGIN."""

    def _library_target(self) -> pathlib.Path:
        if self.inplace:
            return pathlib.Path(__file__).resolve().parent / "qubus" / LIBRARY_NAME
        return pathlib.Path(self.build_lib) / "qubus" / LIBRARY_NAME

    def run(self) -> None:
        for extension in self.extensions:
            extension.depends += [str(p) for p in include_directory().glob("*.h")]
        super().run()
        target = self._library_target()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library_file(), target)

    def get_outputs(self) -> list[str]:
        return [*super().get_outputs(), str(self._library_target())]


extension = ffibuilder.distutils_extension(tmpdir="build/cffi", verbose=False)
setup(ext_modules=[extension], cmdclass={"build_ext": BuildWithLibrary})
