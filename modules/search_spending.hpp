#pragma once

namespace autotunenet {

/// Observations that a search has taken, and how many of those led to the state that training is in: the others were
/// undone.
class search_spending {
 public:
  void advance(double steps) noexcept {
    gone_ += steps;
    kept_ += steps;
  }
  double gone() const noexcept { return gone_; }
  double undone() const noexcept { return gone_ - kept_; }

  void mark() noexcept { marked_ = kept_; }
  void return_to_mark() noexcept { kept_ = marked_; }
  void return_to_origin() noexcept { kept_ = 0.0; }

  template <class Archive>
  void fields(Archive& a) {
    a(gone_)(kept_)(marked_);
  }

 private:
  double gone_ = 0.0;
  double kept_ = 0.0;
  double marked_ = 0.0;  // of those, at the last mark
};

}  // namespace autotunenet
