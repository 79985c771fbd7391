#pragma once

namespace support {

/// Makes the system calls that storage goes through fail. Belongs into programs of its own: it replaces those calls
/// for the whole program, and passes them on where no fault is asked for.
struct storage_faults {
  enum class call { open, flock, write, fsync, close, rename };

  /// From now on the call of this kind number `nth`, counted from 0, fails with this error number, once.
  static void fail(call kind, int nth, int error);
  /// No more faults; whether one happened.
  static bool end();
  /// Writes take one byte at a time, and every other one is interrupted.
  static void dribble(bool on);
  /// The process kills itself in place of call number `nth`, whatever its kind.
  static void die_at(int nth);
};

}  // namespace support
