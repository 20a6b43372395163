# frozen_string_literal: true

# Filled in by scripts/package.sh source.
class CfgsyncAgent < Formula
  desc "Keeps folders the same on several machines, without a server"
  homepage "https://cfgsync-agent.example"
  url "@URL@"
  version "@VERSION@"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "cmake" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "confuse"
  depends_on "jansson"
  depends_on "libmicrohttpd"
  depends_on "librsync"
  depends_on "libsodium"
  depends_on "openssl@3"
  depends_on "sqlite"
  depends_on "utf8proc"
  depends_on "zeromq"
  depends_on "zstd"

  uses_from_macos "curl"

  on_linux do
    depends_on "avahi"
  end

  def install
    system "cmake", "-S", ".", "-B", "build", "-G", "Ninja",
           "-DCFGSYNC_TESTS=OFF", "-DCFGSYNC_WERROR=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  def caveats
    <<~EOS
      First:
        cfgsync-agent init
      then, to have it started at every login:
        cfgsync-agent service install
    EOS
  end

  test do
    ENV["CFGSYNC_HOME"] = testpath/"home"
    system bin/"cfgsync-agent", "init", "--name", "brew", "--no-listen"
    pid = spawn bin/"cfgsync-agent", "run"
    begin
      sleep 2
      assert_match "synced", shell_output("#{bin}/cfgsync-agent status")
      system bin/"cfgsync-agent", "stop"
    ensure
      Process.wait pid
    end
  end
end
